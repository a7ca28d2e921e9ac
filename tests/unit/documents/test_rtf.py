r"""RTF: every letter that a reader sees, and none of what is hidden."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents.rtf import parse_rtf
from scifi_llm.errors import ToolkitError


def text(body: str) -> str:
    return parse_rtf(rf"{{\rtf1\ansi\ansicpg1252 {body}}}".encode("latin-1")).text.strip()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"One.\par Two.\par", "One.\n\nTwo."),
        ("One.\\\nTwo\nis on.", "One.\n\nTwois on."),
        (r"\'93Smart,\'94 said \'c9lo\'efse\'97no.", "“Smart,” said Éloïse—no."),
        (r"\u8220?quest\u8221? end", "“quest” end"),  # where pandoc 3.9 loses a letter
        (r"\u8220\'93q\u8221\'94 end", "“q” end"),
        (r"{\uc0\u269 apek} \uc2\u8220\'81\'67x", "čapek “x"),
        (r"\u-10179?\u-8704? smile", "😀 smile"),
        (r"\ldblquote a\rdblquote  \lquote b\rquote ", "“a” ‘b’"),
        (r"c\emdash d\endash e\~f", "c—d–e\u00a0f"),
        (r"a\line b\tab c \{d\} \\e", "a\nb\tc {d} \\e"),
        (r"\b bold\b0  {\i it} \fs24\cf2 plain", "bold it plain"),
        (r"seen {\v hidden} and {\deleted gone} \v x\v0 y", "seen  and  y"),
        (r"a{\*\annotation private}{\*\unknown x}{\pict\pngblip 89504e47}b", "ab"),
        (r"{\fonttbl{\f0 Helvetica;}}{\info{\title T}}{\header h}b{\stylesheet{\s1 H;}}", "b"),
        (r"{\pict\bin4 }{\\x}b", "b"),
        (r"a{\footnote\pard A note.}b", "a [A note.]b"),
        (r'{\field{\*\fldinst{HYPERLINK "http://x"}}{\fldrslt link}}.', "link."),
        (r"\trowd\intbl a\cell {\pard b\par}\cell\row", "a | b  |"),
        (r"{\fonttbl{\f1\fcharset204 Arial;}}{\f1 \'cf\'f0\'e8} \'e9", "При é"),
        # Scrivener's marks inside the text.
        (r"a {\Scrv_annot \color={\R=1.0} \text=my {\b doubt}\end_Scrv_annot} b", "a  b"),
        (r"a{\Scrv_fn=the note\end_Scrv_fn} b", "a [the note] b"),
        (r"\\Scrv_fn=, \\Scrv_annot", r"\Scrv_fn=, \Scrv_annot"),
        (r"<$Scr_Ps::0>Styled<!$Scr_Ps::0> <$Scr_Cs::1>text<!$Scr_Cs::1>", "Styled text"),
    ],
)  # fmt: skip
def test_text(body: str, expected: str) -> None:
    assert text(body) == expected


def test_outline_levels_are_headings() -> None:
    body = (
        r"\pard\outlinelevel0 Chapter One\par\pard Text.\par\pard\outlinelevel1 Scene\par\pard B."
    )
    document = parse_rtf(rf"{{\rtf1 {body}}}".encode())
    assert document.text == "# Chapter One\n\nText.\n\n## Scene\n\nB.\n\n"
    sections = document.sections("chapters/one.rtf")
    assert [(part.heading, part.text.strip()) for part in sections] == [
        (("Chapter One",), "Text."),
        (("Chapter One", "Scene"), "B."),
    ]
    assert {part.note.chapter for part in sections} == {1}
    assert all(document.text[part.start : part.end] == part.text for part in sections)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Plain text.", "it is no RTF, in spite of its name"),
        (rb"{\rtf1 One {\b two", "it is cut off: a brace of its RTF has no end"),
        (b"{\\rtf1 One \\", "it is cut off: a brace of its RTF has no end"),
        (rb"{\rtf1 {\Scrv_annot \text=secret}}", "an inline annotation in it does not end"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        parse_rtf(data)
    assert caught.value.problem == reason


def written(letters: str, form: int) -> str:
    """RTF of a text, as different programs write it."""
    made = ""
    for letter in letters:
        units = letter.encode("utf-16-le")
        codes = [int.from_bytes(units[i : i + 2], "little") for i in range(0, len(units), 2)]
        if letter in "\\{}":
            made += "\\" + letter
        elif letter.isascii():
            made += letter
        else:
            after = ["?", "\\'3f", " "][form]
            made += "".join(f"\\u{code - 65536 * (code > 32767)}{after}" for code in codes)
    return ("\\uc0 " if form == 2 else "") + made


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(
        str.strip
    ),
    st.integers(0, 2),
)
def test_no_letter_is_lost(letters: str, form: int) -> None:
    from scifi_llm.documents.source import normalise

    assert text(written(letters, form)) == normalise(letters).strip()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ToolkitError):
        parse_rtf(b"{\\rtf1 " + data + b"}")
