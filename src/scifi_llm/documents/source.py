"""A file's bytes, read so that nothing in the folder can hang, escape or exhaust; and its text."""

from __future__ import annotations

import codecs
import os
import re
import stat
import unicodedata
from pathlib import Path

from ..errors import ToolkitError

MAX_BYTES = 50_000_000  # a long novel is about 2 MB; more than this is not prose
_BOMS = (  # UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_.:-]+)""", re.I)


def read_bytes(file: Path, folder: Path, limit: int = MAX_BYTES) -> bytes:
    """The content of a regular file below `folder`, of at most `limit` bytes.

    Raises ToolkitError where it is something else, too large, gone, or a link out of the folder.
    """
    try:
        real = file.resolve()
        if not real.is_relative_to(folder.resolve()):
            raise ToolkitError("it is a link to a file outside the notes' folder")
        # Without O_NONBLOCK opening a named pipe would wait for a writer for ever.
        number = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as opened:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise ToolkitError("it is no regular file")
            if status.st_size > limit:
                raise ToolkitError(_too_large(status.st_size, limit))
            data = opened.read(limit + 1)
    except RuntimeError:  # what Path.resolve raises for a link to itself, before Python 3.13
        raise ToolkitError("it is a link that leads to itself") from None
    except OSError as error:
        raise ToolkitError(f"it cannot be read ({error.strerror})") from None
    if len(data) > limit:
        raise ToolkitError(_too_large(len(data), limit))
    return data


def _too_large(size: int, limit: int) -> str:
    return f"it is larger than {limit // 10**6} MB ({size // 10**6} MB)"


def decode(data: bytes) -> str:
    """Text of UTF-8, or of UTF-16 and UTF-32 with a byte order mark; line ends LF, Unicode NFC.

    Raises ToolkitError where it is neither: guessing would fill the index with wrong letters.
    """
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        raise ToolkitError(f"it is not {name} text (byte {error.start}){_hint(data)}") from None
    if "\0" in text:
        raise ToolkitError("it holds NUL bytes, so it is no text file")
    return normalise(text)


def utf8_of_html(data: bytes) -> bytes:
    """The page in UTF-8, from the encoding that it declares.

    Raises ToolkitError where it is in another one that is not UTF-8.
    """
    declared = _CHARSET.search(data[:2048])
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    if name.startswith("utf"):  # a page that can be searched for its charset is in no UTF-16
        return decode(data).encode("utf-8")
    try:
        # What pages call ISO-8859-1 is Windows-1252, by the HTML standard.
        text = data.decode("cp1252" if name in ("iso-8859-1", "latin1") else name)
    except (LookupError, UnicodeDecodeError):
        text = decode(data)
    return text.encode("utf-8")


def normalise(text: str) -> str:
    """The text with LF line ends and in Unicode NFC."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", text)


def _hint(data: bytes) -> str:
    """How to convert what Windows programs write where they do not write UTF-8."""
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    return "; from Windows-1252 convert it with: iconv -f CP1252 -t UTF-8 OLD > NEW"
