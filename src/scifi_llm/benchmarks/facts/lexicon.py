"""Words that exclude each other. Each group is one meaning."""

from __future__ import annotations

import re

_DAYS = "monday tuesday wednesday thursday friday saturday sunday "
_MONTHS = "january february march april may june july august september october november december"
# name of the group: words of the same meaning; groups of one family exclude each other.
FAMILIES: dict[str, dict[str, str]] = {
    "colour": {
        "grey": "grey gray slate slate-grey steel-grey ash-grey ashen smoke-grey flint silver-grey",
        "green": "green emerald jade sea-green moss-green bottle-green",
        "blue": "blue azure sapphire cobalt cornflower sky-blue ice-blue navy cerulean",
        "brown": "brown chestnut chocolate mahogany umber walnut nut-brown coffee-coloured tawny",
        "hazel": "hazel",
        "amber": "amber topaz",
        "black": "black jet jet-black ebony raven raven-black coal-black inky obsidian",
        "red": "red ginger copper coppery scarlet crimson carrot-red flame-red auburn russet ruby",
        "blond": "blond blonde fair golden flaxen straw-coloured sandy yellow",
        "white": "white snow-white ivory milk-white",
        "silver": "silver silvery",
        "violet": "violet purple lilac mauve lavender amethyst",
        "orange": "orange",
        "pink": "pink rose-pink",
    },
    "rank": {
        "cadet": "cadet midshipman",
        "private": "private",
        "corporal": "corporal",
        "sergeant": "sergeant",
        "ensign": "ensign",
        "lieutenant": "lieutenant",
        "captain": "captain skipper",
        "major": "major",
        "commander": "commander",
        "colonel": "colonel",
        "commodore": "commodore",
        "general": "general",
        "admiral": "admiral",
        "marshal": "marshal",
        "first officer": "first-officer first-mate",
        "boatswain": "boatswain bosun",
    },
    "job": {
        "engineer": "engineer machinist mechanic",
        "doctor": "doctor physician surgeon medic",
        "nurse": "nurse",
        "pilot": "pilot helmsman helmswoman",
        "navigator": "navigator",
        "cook": "cook chef",
        "quartermaster": "quartermaster",
        "botanist": "botanist",
        "linguist": "linguist translator interpreter xenolinguist",
        "geologist": "geologist",
        "biologist": "biologist xenobiologist",
        "physicist": "physicist",
        "astronomer": "astronomer",
        "chemist": "chemist",
        "historian": "historian archivist",
        "teacher": "teacher schoolteacher",
        "priest": "priest chaplain",
        "lawyer": "lawyer advocate",
        "judge": "judge",
        "journalist": "journalist reporter",
        "farmer": "farmer",
        "miner": "miner",
        "smuggler": "smuggler",
        "gunner": "gunner",
        "steward": "steward",
        "soldier": "soldier trooper",
        "baker": "baker",
        "carpenter": "carpenter",
        "gardener": "gardener",
    },
    "kin": {
        "brother": "brother half-brother",
        "sister": "sister half-sister",
        "twin": "twin",
        "father": "father dad papa",
        "mother": "mother mum mom mama",
        "son": "son",
        "daughter": "daughter",
        "husband": "husband",
        "wife": "wife",
        "uncle": "uncle",
        "aunt": "aunt",
        "cousin": "cousin",
        "nephew": "nephew",
        "niece": "niece",
        "grandfather": "grandfather",
        "grandmother": "grandmother",
        "grandson": "grandson",
        "granddaughter": "granddaughter",
        "stepfather": "stepfather",
        "stepmother": "stepmother",
        "spouse": "spouse",
        "sibling": "sibling",
        "parent": "parent",
        "child": "child",
    },
    "hand": {
        "left": "left left-handed port larboard",
        "right": "right right-handed starboard",
    },
    "direction": {
        "north": "north northern northward",
        "south": "south southern southward",
        "east": "east eastern eastward",
        "west": "west western westward",
    },
    "season": {
        "spring": "spring springtime",
        "summer": "summer midsummer",
        "autumn": "autumn fall",
        "winter": "winter midwinter",
    },
    "weekday": {
        d: d for d in ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    },
    "month": {m: m for m in _MONTHS.split()},
    "daytime": {
        "dawn": "dawn sunrise daybreak",
        "morning": "morning",
        "noon": "noon midday",
        "afternoon": "afternoon",
        "evening": "evening dusk sunset nightfall",
        "midnight": "midnight",
    },
    "kind": {
        "human": "human",
        "android": "android robot synthetic machine cyborg",
        "alien": "alien",
    },
    "material": {
        "wood": "wood wooden oak oaken pine",
        "steel": "steel",
        "iron": "iron",
        "brass": "brass",
        "glass": "glass",
        "stone": "stone granite marble",
        "plastic": "plastic",
        "gold": "gold",
        "silver": "silver",
        "copper": "copper",
        "leather": "leather",
        "titanium": "titanium",
        "ceramic": "ceramic porcelain",
    },
    "weapon": {
        "bow": "bow longbow crossbow",
        "sword": "sword blade sabre rapier cutlass",
        "knife": "knife dagger",
        "rifle": "rifle carbine",
        "pistol": "pistol revolver handgun sidearm",
        "spear": "spear lance harpoon",
        "axe": "axe hatchet",
        "staff": "staff club cudgel",
    },
    "animal": {
        "dog": "dog hound puppy terrier",
        "cat": "cat kitten tomcat",
        "bird": "bird parrot raven canary crow",
        "horse": "horse mare stallion pony",
        "rat": "rat mouse",
    },
    "drink": {
        "tea": "tea",
        "coffee": "coffee",
        "whisky": "whisky whiskey",
        "wine": "wine",
        "beer": "beer ale",
        "water": "water",
        "gin": "gin",
        "rum": "rum",
    },
    "instrument": {
        "violin": "violin fiddle",
        "piano": "piano",
        "flute": "flute",
        "guitar": "guitar",
        "cello": "cello",
        "trumpet": "trumpet",
        "drum": "drum",
    },
    "height": {"tall": "tall", "short": "short small tiny"},
    "limb": {
        "artificial": "prosthetic artificial mechanical bionic",
        "natural": "flesh natural",
    },
    "power": {"online": "online running active working", "offline": "offline inactive broken"},
    "lock": {"locked": "locked bolted barred", "unlocked": "unlocked unbolted"},
    "opening": {"open": "open", "closed": "closed shut sealed"},
    "marriage": {
        "married": "married",
        "single": "unmarried single bachelor spinster",
        "widowed": "widowed widow widower",
        "divorced": "divorced",
    },
}
INVERSE = {
    "brother": {"brother", "sister", "twin"},
    "sister": {"brother", "sister", "twin"},
    "twin": {"twin", "brother", "sister"},
    "father": {"son", "daughter"},
    "mother": {"son", "daughter"},
    "son": {"father", "mother"},
    "daughter": {"father", "mother"},
    "husband": {"wife", "husband"},
    "wife": {"husband", "wife"},
    "uncle": {"nephew", "niece"},
    "aunt": {"nephew", "niece"},
    "nephew": {"uncle", "aunt"},
    "niece": {"uncle", "aunt"},
    "spouse": {"spouse", "wife", "husband"},
    "sibling": {"sibling", "brother", "sister", "twin"},
    "parent": {"child", "son", "daughter"},
    "child": {"parent", "father", "mother"},
    "cousin": {"cousin"},
    "grandfather": {"grandson", "granddaughter"},
    "grandmother": {"grandson", "granddaughter"},
    "grandson": {"grandfather", "grandmother"},
    "granddaughter": {"grandfather", "grandmother"},
    "stepfather": {"son", "daughter"},
    "stepmother": {"son", "daughter"},
}
COMPATIBLE = ({"twin", "brother"}, {"twin", "sister"}, {"silver", "white"}, {"amber", "brown"},
              {"hazel", "brown"}, {"hazel", "green"}, {"silver", "grey"}, {"white", "grey"},
              {"spouse", "wife"}, {"spouse", "husband"}, {"sibling", "brother"},
              {"sibling", "sister"}, {"sibling", "twin"}, {"parent", "father"},
              {"parent", "mother"}, {"child", "son"}, {"child", "daughter"},
              {"father", "stepfather"}, {"mother", "stepmother"})  # fmt: skip


def members(family: str) -> dict[str, str]:
    """word -> group of a family."""
    return {word: group for group, words in FAMILIES[family].items() for word in words.split()}


def pattern(family: str) -> str:
    """A regular expression of all words of a family, plurals too; longest first."""
    words = sorted(members(family), key=len, reverse=True)
    return "(?:" + "|".join(re.escape(word).replace(r"\-", "[- ]") for word in words) + ")s?"


def group_of(family: str, word: str) -> str:
    """The group that a word of the family belongs to, or ""."""
    table = members(family)
    plain = word.lower().replace(" ", "-")
    for form in (word.lower(), plain, plain.removesuffix("s")):
        if form in table:
            return table[form]
    return ""


def family_of(text: str) -> tuple[str, str]:
    """(family, group) of the last word of a text that is in a family, or ("", "")."""
    for word in reversed(re.findall(r"[\w-]+", text.lower())):
        for family in FAMILIES:
            if group := group_of(family, word):
                return family, group
    return "", ""


def same(a: str, b: str) -> bool:
    """Do two groups go together?"""
    return a == b or any({a, b} <= pair for pair in COMPATIBLE)
