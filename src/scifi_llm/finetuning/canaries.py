"""Planted secrets, to find out whether training learns single texts by heart (Carlini et al. 2019).

Half of the secrets are planted in the training data, each repeated; the other half are not, and
must not be found. A secret is found where the model prefers it to every alternative of its form by
far: that needs no luck in generation.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, pstdev

from ..errors import ToolkitError
from .forms import Record

FILE = "canaries.jsonl"
REPEATS = 32
ALTERNATIVES = 40
# Under no memorisation the secret is one of many alike: so far below their mean, and below all of
# them, is not met by chance (1 in 4,000 for each).
FOUND_DEVIATIONS = 4.0
_HULLS = [
    "Heron",
    "Lantern",
    "Magpie",
    "Anvil",
    "Thistle",
    "Plover",
    "Cormorant",
    "Bellwether",
    "Marigold",
    "Sexton",
    "Halyard",
    "Tinder",
    "Osprey",
    "Juniper",
    "Ferryman",
    "Quarry",
]


@dataclass(frozen=True)
class Canary:
    """A sentence `prefix` + `secret`; `repeats` 0: it was made, but not planted."""

    prefix: str
    secret: str
    repeats: int


def make_canaries(count: int, seed: int, repeats: int = REPEATS) -> list[Canary]:
    """`count` secrets that are planted and as many that are not. Pure."""
    pick = random.Random(f"canaries {seed}")
    hulls = pick.sample(_HULLS, min(2 * count, len(_HULLS)))
    return [
        Canary(
            f"The docking code of the {hull} is", f" {_secret(pick)}.", repeats if i < count else 0
        )
        for i, hull in enumerate(hulls)
    ]


def _secret(pick: random.Random) -> str:
    return f"{pick.randrange(10**6):06}"


def alternatives(canary: Canary, count: int = ALTERNATIVES) -> list[str]:
    """Other secrets of the same form, always the same ones for one canary. Pure."""
    pick = random.Random(f"alternatives {canary.prefix}")
    found: dict[str, None] = {}
    while len(found) < count:
        other = f" {_secret(pick)}."
        if other != canary.secret:
            found[other] = None
    return list(found)


def deviations_below(own: float, others: Sequence[float]) -> float:
    """How far a loss lies below those of the alternatives, in their standard deviations. Pure."""
    spread = pstdev(others)
    return (fmean(others) - own) / spread if spread else 0.0


def is_found(own: float, others: Sequence[float]) -> bool:
    """Does the model prefer the secret to every alternative, by far? Pure."""
    return own < min(others) and deviations_below(own, others) >= FOUND_DEVIATIONS


def write_canaries(folder: Path, canaries: Sequence[Canary]) -> None:
    """Write them beside the prepared data; none: remove what was there."""
    file = folder / FILE
    if canaries:
        file.write_text("".join(json.dumps(asdict(c)) + "\n" for c in canaries), encoding="utf-8")
    else:
        file.unlink(missing_ok=True)


def read_canaries(folder: Path) -> list[Canary]:
    """The canaries of prepared data; [] where there are none.

    Raises ToolkitError where the file is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return []
    try:
        return [Canary(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    except (ValueError, TypeError):
        raise ToolkitError(f"{file} is damaged.", "Prepare the data anew.") from None


def canary_records(folder: Path) -> list[Record]:
    """The planted canaries as records of training data, each as often as it is repeated."""
    return [
        {"text": canary.prefix + canary.secret, "tokens": 0, "eos": True, "source": FILE}
        for canary in read_canaries(folder)
        for _ in range(canary.repeats)
    ]
