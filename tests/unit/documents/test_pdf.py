"""PDF: the text of pages, and files without any."""

from __future__ import annotations

import io

import pypdf
import pytest

from scifi_llm.documents.pdf import parse_pdf
from scifi_llm.errors import ToolkitError


def pdf(*pages: str) -> bytes:
    """A PDF with a page of text for each argument; \\n begins a new line."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>"]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects += [
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for i, page in enumerate(pages):
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in page.split("\n")) if page else ""
        stream = f"BT /F1 12 Tf 72 720 Td {lines}ET"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {5 + 2 * i} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj{body}endobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        out
        + (
            f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
            f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF\n"
        ).encode()
    )


def encrypted(password: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Secret.")))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_pages_follow_each_other_and_cut_words_are_whole() -> None:
    document = parse_pdf(pdf("The ship was an exam-\nple of old work.", "It leaked."))
    assert document.text == "The ship was an example of old work.\n\nIt leaked.\n\n"


def test_a_file_that_is_only_locked_against_printing_is_read() -> None:
    assert parse_pdf(encrypted("")).text == "Secret.\n\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encrypted("word"), "it is encrypted (save a copy without a password)"),
        (pdf("", ""), "it holds pictures and no text (make a text layer with: ocrmypdf OLD NEW)"),
        (b"no pdf at all", "it is damaged ("),
        (pdf("Text.")[:60], "it is damaged ("),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        parse_pdf(data)
    assert caught.value.problem.startswith(reason)
