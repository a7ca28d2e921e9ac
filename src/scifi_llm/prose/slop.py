"""Words and turns that language models overuse, against what human fiction has of them.

The list is our own, after the published findings: Juzek & Ward 2025 ("delve" and its kin), Reinhart
et al. 2025 ("tapestry"), and the projects slop-score and antislop (names, fragments). Counted per
1,000 words over [a-z]+ tokens.
"""

from __future__ import annotations

import re

from .text import word_set, words_of

SLOP_WORDS = word_set(
    """
    tapestry testament delve delved delving unwavering palpable shimmering shimmered ethereal
    kaleidoscope symphony cacophony labyrinthine bioluminescent iridescent luminescent ozone
    thrumming thrummed pulsing pulsed hummed humming flickered flickering glinted glinting
    cascading cascaded echoed echoing etched unspoken unshed unbidden unreadable tangible
    intricate intricacies multifaceted nuanced vibrant bustling enigmatic elara lyra kael thorne
    aria voss seraphina zephyr whispering whispers murmured resonated resonating resonance
    navigate navigating realm realms beacon crucible juxtaposition visceral pivotal profound
    profoundly meticulous meticulously inexorable inexorably indomitable resilience resilient
    camaraderie bittersweet fleeting ephemeral gossamer tendrils tendril swirling swirled
    spiraling unfurled unfurling unraveling unraveled entwined interwoven interplay mosaic
    transformative harness harnessed holographic neon steeled clenched furrowed smirk smirked
    chuckled quirked adrenaline reverberated reverberating sentient uncharted steadfast
    """
)
SLOP_TURNS = re.compile(
    r"\b(?:a testament to|sent? (?:a )?shivers? (?:down|up)|barely above a whisper|"
    r"the weight of (?:\w+ ){0,3}(?:words?|world|decision|silence|years?|choices?)|"
    r"(?:voice|words?) (?:barely|hung|hanging)(?: a whisper)? (?:in the air)?|"
    r"hung (?:heavy )?in the air|"
    r"couldn't help but|little did (?:he|she|they|i) know|a mix(?:ture)? of \w+ and|"
    r"let out a breath|breath (?:he|she|they|i) (?:hadn't|didn't) (?:known|know|realized)|"
    r"something (?:else|shifted|flickered) (?:entirely|in (?:his|her|their))|"
    r"eyes (?:widened|narrowed|gleamed|sparkled|glinted)|"
    r"(?:heart|pulse) (?:pounding|hammering|racing)|"
    r"(?:in|of) (?:the|a) (?:vast|endless) (?:expanse|tapestry|void)|"
    r"dance(?:d|s)? (?:of|across|on|in) \w+|"
    r"the (?:air|silence) (?:was )?(?:thick|heavy|charged) with|and for the first time in|"
    r"as an ai(?: language model)?|in conclusion|it(?:'s| is) important to note|"
    r"together,? (?:they|we) (?:would|could|had))\b",
    re.IGNORECASE,
)
NOT_BUT = re.compile(
    r"\bnot (?:just|only|merely|simply|out of|because of|for|with|a|an|the)?\b"
    r"[^.!?;:\n]{1,60}?[,—–-]+ ?but\b(?! not)|"
    r"\b(?:is|was|are|were|it)(?:n't| not|'s not) (?:just|only|merely|simply|about|a|an|the)?\b"
    r"[^.!?\n]{1,60}[.;,—–-]+ ?(?:it|this|that|they|he|she)(?:'s| is| was| were|'re| are)\b|"
    r"\bno longer (?:just )?[^.!?;:\n]{1,40}?[,—–-]+ ?but\b",
    re.IGNORECASE,
)


def slop_per_1000(text: str) -> float:
    """Overused words and turns in 1,000 words."""
    words = words_of(text)
    if not words:
        return 0.0
    plain = text.replace("’", "'")
    hits = sum(word in SLOP_WORDS for word in words) + len(SLOP_TURNS.findall(plain))
    return 1000 * hits / len(words)


def not_but_per_1000(text: str) -> float:
    """ "Not X, but Y" and "It was not X. It was Y" in 1,000 words."""
    words = words_of(text)
    return 1000 * len(NOT_BUT.findall(text.replace("’", "'"))) / len(words) if words else 0.0
