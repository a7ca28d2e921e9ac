# ruff: noqa: E501  # a pattern is read as a whole
"""Rules for the living and the dead."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..fact import Fact
from .common import Finding, denied

DEAD = (
    r"§s (?:had |has |was |is |were )?(?:already |long |finally |been )*(?P<w>died|dead|killed|drowned|murdered|perished|slain|buried|shot dead|deceased)\b",
    r"\b(?:the )?(?P<w>death|murder|funeral|burial|corpse|grave|ashes|widow|widower|body) of §s\b(?!')",
    r"§s's (?P<w>death|funeral|grave|corpse|burial|dead body|ashes|widow|coffin|murder|last breath|tomb|wake)\b",
    r"\b(?P<w>late|dead|deceased) (?:captain |lieutenant |commander |dr\.? )?§s\b(?!')",
    r"\b(?P<w>killed|buried|murdered|mourned|mourning|grieved for|grieving for) §s\b(?!')",
    r"§s (?:did not|didn't|had not|hadn't|never) (?P<w>surviv\w+|come back alive|make it out alive|live)\b",
    r"§s (?:had )?(?P<w>lost §s's life|gave §s's life|breathed §s's last|passed away|bled to death|burned to death|froze to death)\b",
)


ALIVE = (
    r"§s (?:is|was|were) (?:still |very much |quite |perfectly |somehow )*(?P<w>alive|living|breathing)\b",
    r"§s (?:had |has )?(?P<w>survived|lived on|come back alive|lived through|recovered)\b",
    r"§s (?:had )?(?:not|never) (?P<w>died|been killed|dead|drowned|perished)\b",
    r"§s (?:is|was|were)(?: not|n't) (?P<w>dead|killed|gone)\b",
)


ACT = (
    r"said|asked|replied|answered|whispered|murmured|muttered|shouted|nodded|smiled|grinned|laughed|shrugged|frowned|"
    r"walked (?:in|into|up|over|across|through|out|past)|came (?:in|into|through|up|over|down|out|back|aboard)|stepped (?:in|into|through|out|forward|aboard)|poured|"
    r"sat down|stood (?:up|at|by|in)|looked (?:up|at|out|over)|turned|opened|closed|picked up|put down|leaned|waved|"
    r"handed|reached|took|climbed|ran|strode|yawned|coughed|blinked|sighed|drank|ate|pulled|pushed|wiped|lit|arrived|entered|called"
)


MEMORY = re.compile(
    r"\bremember\w*|\brecall\w*|\bmemor\w+|\bonce\b|\byears? (?:ago|before|earlier)\b|\bhad\b|\bused to\b|\bdream\w*|"
    r"\bghost\b|\brecord\w*|\bportrait\b|\bphotograph\b|\bpicture\b|\bletter\b|\bvoice\b|\bwould\b|\bas a (?:boy|girl|child)\b|"
    r"\bbefore (?:he|she|they|§s)\b|\bwhen (?:he|she|§s) (?:was|were)\b|\blast words\b|\bthought of\b|\bif\b|\bstory\b",
    re.IGNORECASE,
)


def status(fact: Fact, text: str) -> Iterator[Finding]:
    """Dead or alive: said outright, or a dead one who acts outside of any memory."""
    for forms, group in ((DEAD, "dead"), (ALIVE, "alive")):
        for form in forms:
            for found in re.finditer(form, text, re.IGNORECASE):
                piece = text[max(0, found.start() - 12) : found.end()]
                inner = re.sub(
                    r"(?:not|never) (?:died|been killed|dead|drowned|perished)|(?:did not|didn't|had not|hadn't|never) (?:surviv|come|make|live)\w*|(?:is|was|were)(?: not|n't) ",
                    "",
                    piece,
                )
                if denied(inner) or re.search(
                    r"\b(?:almost|nearly|to|fear of|threat of) ?(?:§s's )?$",
                    piece[: found.start("w") - found.end()],
                ):
                    continue
                yield found["w"], group == fact.group
    if fact.group == "dead" and not MEMORY.search(text):
        acts = re.search(rf"(?:^|[\"”,;.—] ?|\band |\bthen )§s (?:\w+ly )?(?P<w>{ACT})\b", text)
        if acts:
            yield acts["w"], False
