"""What readers see of Markdown: nothing of it is lost, nothing that was hidden is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import find_headings, parse_note, split_front_matter
from scifi_llm.documents.cleaning import visible
from scifi_llm.errors import ToolkitError


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Plain text.", "Plain text."),
        ("He knows. %%He is the killer.%% Or not.", "He knows.  Or not."),
        ("One.\n\n%%\nTwo.\n\n# No heading\n%%\n\nThree.", "One.\n\n\n\nThree."),
        ("A<!-- secret -->B <!-->C", "AB C"),
        ("[[Elena Ruhl]] met [[Jonas Thorvald|the captain]].", "Elena Ruhl met the captain."),
        ("| [[Elena\\|her]] | x |", "| her | x |"),
        ("[[Elena#Key traits]], [[#Fears]], [[Elena#^a1b2c3]].", "Elena#Key traits, Fears, Elena."),
        ("See ![[map.png]] and ![[Elena Ruhl#Fears]].", "See  and ."),
        ("A line. ^a1b2c3\nNext ^key-line\n^123456", "A line.\nNext\n"),
        ("2 ^10 and x^2", "2 ^10 and x^2"),
        ("[image1]: <data:image/png;base64,iVBORw0KGgo=>", "[image1]: <>"),
        # Code is shown as it stands.
        ("Type `%%x%%` or ``<!-- ` -->``.", "Type `%%x%%` or ``<!-- ` -->``."),
        ("```\n%% [[x]] <!--\n```\n%%gone%%", "```\n%% [[x]] <!--\n```\n"),
        ("~~~~ mermaid\n%% a\n~~~\n%% b\n~~~~\n[[x]]", "~~~~ mermaid\n%% a\n~~~\n%% b\n~~~~\nx"),
        ("A lone ` tick, %%gone%%\n\nand ` another.", "A lone ` tick, \n\nand ` another."),
        # An escape is text, an escaped backslash escapes nothing.
        ("50 \\%% of it \\[[x]]", "50 \\%% of it \\[[x]]"),
        ("C:\\\\%%gone%%", "C:\\\\"),
        # No links.
        ("[[1, 2], [3, 4]] [[]] [[a\nb]] [[open", "[[1, 2], [3, 4]] [[]] [[a\nb]] [[open"),
        ("[[a|%%gone%%b]]", "[[a|b]]"),
        ("#tag and ==mark== > [!note]", "#tag and ==mark== > [!note]"),
    ],
)
def test_what_a_reader_sees(source: str, text: str) -> None:
    assert visible(source).text == text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "Text.\n%%the killer is",
            "its comment that begins with %% in line 2 does not end with %%",
        ),
        (
            "A\n\nB <!-- open -- >",
            "its comment that begins with <!-- in line 3 does not end with -->",
        ),
    ],
)
def test_a_comment_without_end_is_refused(source: str, reason: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        visible(source)
    assert caught.value.problem.startswith(reason)


def test_linked_notes_are_named_once_without_folder_and_attachments() -> None:
    source = "[[people/Elena.md|E]] [[Elena]] ![[Quay]] ![[map.png]] [[#here]] %%[[Secret]]%%"
    assert visible(source).links == ("Elena", "Quay")


def test_links_are_related_unless_the_author_says_otherwise() -> None:
    (section,) = parse_note("Met [[Jonas]].", "a.md")
    assert section.note.related == ("Jonas",)
    (section,) = parse_note("---\nrelated: ['[[Elena|E]]', Quay]\n---\nMet [[Jonas]].", "a.md")
    assert section.note.related == ("Elena", "Quay")
    (section,) = parse_note("---\nrelated: []\n---\nMet [[Jonas]].", "a.md")
    assert section.note.related == ()


def test_a_section_knows_where_its_text_stands_in_the_file() -> None:
    source = (
        "---\ntype: place\n---\n%%a%%\n# The [[Quay|quay]]\n\nAt %%b%% the [[Deep|deep]] end.\n"
    )
    (section,) = parse_note(source, "a.md")
    assert section.heading == ("The quay",)
    assert section.text == "\nAt  the deep end.\n"
    for word in ("At", "the", "deep", "end."):
        start = section.text.index(word)
        a, b = section.span(start, start + len(word))
        assert source[a:b] == word
    assert source[section.start : section.end] == "\nAt %%b%% the [[Deep|deep]] end.\n"


# Markdown made of parts: words that a reader sees, each once, and words that nobody may see.
SEEN = ["{0}", "{0} *{1}*", "`{0}`", "[[{0}]]", "[[x|{0}]]", "{0} ^b1c2d3", "- {0}\n- {1}",
        "> {0}", "```\n{0}\n```", "~~~\n# {0}\n~~~", "## {0}", "{0}\n===", "# {0} #", "{0}\n{1}",
        "| {0} | {1} |", "1. {0}", "    {0}", "\\%% {0}", "[{0}](http://a.b)",
        "{0}\t{1}"]  # fmt: skip
HIDDEN = ["%%{0}%%", "<!-- {0} -->", "%%\n{0}\n\n# {0}\n%%", "<!--\n## {0}\n```\n-->",
          "![[{0}]]", "[[{0}|{1}]]"]  # fmt: skip


@st.composite
def markdown(draw: st.DrawFn) -> tuple[str, list[str], list[str]]:
    """(source, words to be seen, words not to be seen)."""
    seen, hidden, blocks = [], [], []
    for i in range(draw(st.integers(0, 12))):
        a, b = f"seen{i}a", f"seen{i}b"
        kind = draw(st.sampled_from([*SEEN, *HIDDEN]))
        if kind in HIDDEN:
            block = kind.format(f"hidden{i}a", b)
            hidden.append(f"hidden{i}a")
        else:
            block = kind.format(a, b)
        seen += [word for word in (a, b) if word in block]
        blocks.append(block)
    glue = draw(st.sampled_from(["\n\n", "\n\n\n", "\n \n"]))
    front = draw(st.sampled_from(["", "---\ntype: place\n---\n", "\n"]))
    # A note that has nothing but its title has no section; all others have.
    return front + glue.join([*blocks, "The end."]), seen, hidden


@given(markdown())
def test_visible_text_is_neither_lost_nor_doubled(made: tuple[str, list[str], list[str]]) -> None:
    source, seen, hidden = made
    sections = parse_note(source, "notes/a.md")
    headings = {name for part in sections for name in (*part.heading, part.note.title)}
    bodies = "\n".join(part.text for part in sections)
    body = visible(source, split_front_matter(source)[1]).text
    titles = " ".join(heading.title for heading in find_headings(body)).split()
    for word in seen:
        # A heading stands above its text; with none below it is text itself.
        above = word in titles and any(word in name.split() for name in headings)
        assert bodies.count(word) == 1 or (above and not bodies.count(word))
    everything = bodies + repr(headings)
    for word in hidden:
        assert word not in everything
    for part in sections:
        for a in range(len(part.text)):
            start, end = part.span(a, a + 1)
            assert source[start:end] == part.text[a]
            assert part.start <= start < end <= part.end


@given(st.text(alphabet="a%`~<!->[]|#^\\ \n", max_size=60))
def test_any_text_is_cleaned_or_refused_and_only_ever_shortened(source: str) -> None:
    try:
        found = visible(source)
    except ToolkitError:
        return
    for place, letter in enumerate(found.text):
        assert source[place + found.left_out(place)] == letter
    assert len(found.text) <= len(source)
