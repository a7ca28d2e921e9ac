r"""RTF to text. Pure.

pandoc 3.9 drops the letters after `\u8220?`, which is how most programs write a quotation mark,
and shows Scrivener's inline annotations; hence a reader of our own. It keeps text, paragraphs and
outline levels; it leaves out hidden and deleted text, remarks, pictures and tables of fonts.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from ..errors import ToolkitError
from .text import Document, TextBuilder

_TOKEN = re.compile(
    r"\\([a-zA-Z]+)(-?\d+)?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)"
)
# Scrivener's styles inside the text.
_STYLE_TAG = re.compile(r"<!?\$Scr_\w+(?:::\d+)?>")
# fmt: off
_SKIPPED = {
    "annotation", "atnauthor", "atnid", "colortbl", "datastore", "filetbl", "fldinst", "fonttbl",
    "footer", "footerf", "footerl", "footerr", "generator", "header", "headerf", "headerl",
    "headerr", "info", "listoverridetable", "listtable", "listtext", "nonshppict", "object", "pict",
    "pntext", "revtbl", "rsidtbl", "shp", "stylesheet", "tc", "themedata", "xe", "xmlnstbl",
}
# fmt: on
_CHARACTERS = {
    "tab": "\t",
    "line": "\n",
    "par": "\n\n",
    "sect": "\n\n",
    "page": "\n\n",
    "row": "\n",
    "cell": " | ",
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "~": "\u00a0",
    "_": "-",
    "\n": "\n\n",
    "\r": "\n\n",
    "\\": "\\",
    "{": "{",
    "}": "}",
}  # fmt: skip
_CODE_PAGES = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_CHARSETS = {77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253",
             162: "cp1254", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251",
             238: "cp1250"}  # fmt: skip


@dataclass(frozen=True)
class _Group:
    """What a brace opens and its end restores."""

    skipped: bool = False
    hidden: bool = False
    fonts: bool = False
    skip_after_unicode: int = 1
    encoding: str = ""
    closing: str = ""  # written where the group ends


class _Reader:
    def __init__(self) -> None:
        self.out = TextBuilder()
        self.group = _Group()
        self.stack: list[_Group] = []
        self.encoding = "cp1252"
        self.fonts: dict[int, str] = {}
        self.font = 0
        self.pending = bytearray()  # \'hh bytes, decoded together: some code pages use two
        self.to_skip = 0
        self.starred = False
        self.in_row = False

    def read(self, source: str) -> Document:
        position = 0
        while match := _TOKEN.match(source, position):
            position = match.end()
            word, number, byte, symbol, brace, text = match.groups()
            if byte is None:
                self._flush()
            if word:
                position += self._word(word, int(number) if number else None)
            elif byte:
                self._byte(byte)
            elif symbol:
                self._symbol(symbol)
            elif brace:
                self._brace(brace)
            elif text:
                self._text(text)
        self._flush()
        if position < len(source) or self.stack:
            raise ToolkitError("it is cut off: a brace of its RTF has no end")
        return self.out.document()

    def _brace(self, brace: str) -> None:
        self.to_skip, self.starred = 0, False
        if brace == "{":
            self.stack.append(self.group)
            if self.group.closing:
                self.group = replace(self.group, closing="")
        elif self.stack:
            self._write(self.group.closing)
            self.group = self.stack.pop()

    def _word(self, word: str, number: int | None) -> int:
        """Act on a control word; return how many characters of binary data follow it."""
        starred, self.starred = self.starred, False
        if word == "bin":
            return max(number or 0, 0)
        if word == "u" and number is not None:
            self._write(chr(number & 0xFFFF))
            self.to_skip = self.group.skip_after_unicode
        elif self.to_skip:
            self.to_skip -= 1
        elif word == "fonttbl":
            self.group = replace(self.group, skipped=True, fonts=True)
        elif word in _SKIPPED or (starred and word not in ("shppict", "shpinst")):
            self.group = replace(self.group, skipped=True)
        elif word in _CHARACTERS:
            self._write(" " if self.in_row and word == "par" else _CHARACTERS[word])
            self.in_row = self.in_row and word != "row"
        else:
            self._property(word, number)
        return 0

    def _property(self, word: str, number: int | None) -> None:
        if word in ("v", "deleted"):
            self.group = replace(self.group, hidden=number != 0)
        elif word == "plain":
            self.group = replace(self.group, hidden=False)
        elif word == "uc":
            self.group = replace(self.group, skip_after_unicode=max(number or 0, 0))
        elif word == "pard":
            self.out.level = 0
        elif word == "trowd":
            self.in_row = True
        elif word == "outlinelevel" and number is not None and not self.group.skipped:
            self.out.level = number + 1 if number < 6 else 0
        elif word == "footnote":
            self._write(" [")
            self.group = replace(self.group, closing="]")
        else:
            self._letters(word, number)

    def _letters(self, word: str, number: int | None) -> None:
        """Control words that say how \'hh bytes are decoded."""
        if word in _CODE_PAGES:
            self.encoding = _CODE_PAGES[word]
        elif word == "ansicpg" and number:
            self.encoding = _codec(f"cp{number}")
        elif word == "f" and number is not None:
            self.font = number
            if not self.group.fonts:
                self.group = replace(self.group, encoding=self.fonts.get(number, ""))
        elif word == "fcharset" and self.group.fonts and number in _CHARSETS:
            self.fonts[self.font] = _CHARSETS[number]

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self.starred = True
        elif self.to_skip:
            self.to_skip -= 1
        elif symbol in _CHARACTERS:
            self._write(_CHARACTERS[symbol])

    def _byte(self, digits: str) -> None:
        if self.to_skip:
            self.to_skip -= 1
        elif not (self.group.skipped or self.group.hidden):
            self.pending.append(int(digits, 16))

    def _text(self, text: str) -> None:
        if self.to_skip:
            skipped = min(self.to_skip, len(text))
            self.to_skip -= skipped
            text = text[skipped:]
        # Bytes above 127 that stand there plainly are the code page's as well.
        if not text.isascii():
            text = text.encode("latin-1").decode(self.group.encoding or self.encoding, "replace")
        self._write(text)

    def _flush(self) -> None:
        if self.pending:
            data, self.pending = bytes(self.pending), bytearray()
            self._write(data.decode(self.group.encoding or self.encoding, "replace"))

    def _write(self, text: str) -> None:
        if not (self.group.skipped or self.group.hidden):
            self.out.write(text)


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


def _without_annotations(source: str) -> str:
    """The source without Scrivener's inline annotations, which are the author's remarks."""
    first, *rest = source.split("\\Scrv_annot")
    pieces = [first]
    for piece in rest:
        _, end, after = piece.partition("\\end_Scrv_annot")
        if not end:
            raise ToolkitError("an inline annotation in it does not end")
        pieces.append(after)
    return "".join(pieces)


def parse_rtf(data: bytes) -> Document:
    """Text and headings of an RTF file.

    Raises ToolkitError where it is no RTF or ends in its middle.
    """
    source = data.decode("latin-1").lstrip("\ufeff\xef\xbb\xbf \r\n").rstrip("\0 \r\n\t")
    if not source.startswith("{\\rtf"):
        raise ToolkitError("it is no RTF, in spite of its name")
    if "Scrv_" in source:
        source = source.replace("\\\\", "\\'5c")  # an escaped backslash begins no mark
        source = _without_annotations(source)
        source = source.replace("\\Scrv_fn=", " [").replace("\\end_Scrv_fn", "]")
    return _Reader().read(_STYLE_TAG.sub("", source))
