"""Collections, published whole.

chroma_db/NAME/vN/ holds a Chroma database, the store of record, and beside it an in-memory copy in
two plain files, from which a reader loads a version without opening Chroma. Neither is changed once
it is published. chroma_db/NAME/current.json names the version that counts: a writer makes vN+1
beside vN and then replaces current.json, so that a reader, or a kill at any moment, meets the old
or the new one.
"""

from .collection import Collection, publish
from .manifest import (
    FORMAT,
    Manifest,
    check_name,
    collections,
    manifest,
    manifest_or_none,
    point_to,
    rebuild,
    require,
    writing,
)
from .memory import Contents

__all__ = [
    "FORMAT",
    "Collection",
    "Contents",
    "Manifest",
    "check_name",
    "collections",
    "manifest",
    "manifest_or_none",
    "point_to",
    "publish",
    "rebuild",
    "require",
    "writing",
]
