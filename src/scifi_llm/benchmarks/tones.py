"""Tones and writing tests of 3_creative_quality.py: the text that a model is given, and how."""

from __future__ import annotations

TONE_CONFIGS: dict[str, dict[str, float]] = {
    "creative": {"temperature": 0.9, "top_p": 0.95, "repetition_penalty": 1.05},
    "technical": {"temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.05},
    "dramatic": {"temperature": 0.8, "top_p": 0.95, "repetition_penalty": 1.05},
    "poetic": {"temperature": 0.95, "top_p": 0.97, "repetition_penalty": 1.02},
    "gritty": {"temperature": 0.8, "top_p": 0.92, "repetition_penalty": 1.08},
}
DEFAULT_TONE = "technical"

_FORM = (
    " Write continuous prose in paragraphs: no lists, no headings, no comment on the task. "
    "Bring the scene to an end."
)
SYSTEM_PROMPTS: dict[str, str] = {
    "creative": (
        "You are a novelist of science fiction who trusts the odd detail and the surprising "
        "turn over the familiar phrase." + _FORM
    ),
    "technical": (
        "You are a novelist of hard science fiction. Machines, physics and procedures are "
        "exact, consequences follow from causes, and people talk like those who do the work."
        + _FORM
    ),
    "dramatic": (
        "You are a novelist of science fiction who builds scenes on what people want from each "
        "other and cannot have. Tension rises until something gives." + _FORM
    ),
    "poetic": (
        "You are a novelist of science fiction with an ear for rhythm. Images are concrete and "
        "few, and sentences vary in length." + _FORM
    ),
    "gritty": (
        "You are a novelist of science fiction about people with dirty hands. Short sentences, "
        "plain words, hard choices, no consolation." + _FORM
    ),
}
TESTS: dict[str, str] = {
    "opening": (
        "Write the opening scene of a novel: a survey ship arrives at a station where nobody "
        "answers, and its pilot has been there before."
    ),
    "dialogue": (
        "Write a scene, mostly in dialogue: a captain and an engineer disagree over whether to "
        "report a fault that will cost them the voyage."
    ),
    "description": (
        "Write a scene in which a newcomer walks for the first time through a town that lies "
        "under the ice of a moon. Let the place show how people live there."
    ),
    "action": (
        "Write a scene in which a fire breaks out in a closed hull and two people have four "
        "minutes to reach the valve."
    ),
    "reflection": (
        "Write a scene in which an old translator listens again to the one message that she got"
        " wrong, and what followed from it."
    ),
}


def messages(tone: str, test: str, words: int) -> list[dict[str, str]]:
    """The chat of one writing test, for about `words` words."""
    task = f"{TESTS[test]} About {words} words."
    return [
        {"role": "system", "content": SYSTEM_PROMPTS[tone]},
        {"role": "user", "content": task},
    ]
