"""RAG/1_ingest.py on folders of every format, good and bad."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]
RTF = r"{\rtf1\ansi The tide is in.\par}"
BINDER = (
    '<ScrivenerProject><Binder><BinderItem UUID="A" Type="DraftFolder"><Title>Draft</Title>'
    '<Children><BinderItem UUID="B" Type="Text"><Title>Chapter One</Title></BinderItem></Children>'
    "</BinderItem></Binder></ScrivenerProject>"
)
DOCX = {
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/'
    '2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
    "word/document.xml": '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/'
    '2006/main"><w:body><w:p><w:r><w:t>From Word.</w:t></w:r></w:p></w:body></w:document>',
}


def docx(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in DOCX.items():
            archive.writestr(name, text)


def test_a_folder_of_all_formats_good_and_bad(run: Run, home: Path) -> None:
    data = home / "data"
    for folder in ("characters", "chapters/Book.scriv/Files/Data/B", "research"):
        (data / folder).mkdir(parents=True)
    (data / "characters" / "Elena ✨.md").write_text("# Elena\n\nKind. %%She dies.%%\n", "utf-8")
    book = {"entries": {"0": {"key": ["Kepler"], "comment": "Kepler", "content": "Dry.",
                              "constant": True}}}  # fmt: skip
    (data / "world.json").write_text(json.dumps(book))
    (data / "chapters" / "Book.scriv" / "Book.scrivx").write_text(BINDER)
    (data / "chapters" / "Book.scriv" / "Files" / "Data" / "B" / "content.rtf").write_text(RTF)
    (data / "research" / "page.html").write_text("<p>From the web.</p>")
    docx(data / "research" / "word.docx")
    (data / "research" / "empty.md").touch()
    (data / "research" / "other.json").write_text("{}")
    (data / "research" / "cut.docx").write_bytes(
        (data / "research" / "word.docx").read_bytes()[:99]
    )
    (data / "research" / "windows.txt").write_bytes("“quoted”".encode("cp1252"))
    os.mkfifo(data / "research" / "pipe.md")
    done = run("RAG/1_ingest.py")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"[WARN] Left out research/{name}: {reason}. Mend the file and run this again."
        for name, reason in [
            ("cut.docx", "it is damaged (File is not a zip file)"),
            ("other.json", "it is JSON, but no lorebook: it has no list of entries"),
            ("pipe.md", "it is no regular file"),
            ("windows.txt", "it is not UTF-8 text (byte 0); from Windows-1252 convert it with: "
             "iconv -f CP1252 -t UTF-8 OLD > NEW"),
        ]
    ]  # fmt: skip
    assert (
        f"[OK] 6 files, 5 sections, 11 words in {home}/chunks/sections.jsonl; "
        "1 files hold no text; 4 files left out (status 2)\n"
    ) in done.stdout
    lines = (home / "chunks" / "sections.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines[1:]]
    assert {row["note"]["path"]: row["text"].strip() for row in rows} == {
        "chapters/Book.scriv/Draft/Chapter One": "The tide is in.",
        "characters/Elena ✨.md": "Kind.",
        "research/page.html": "From the web.",
        "research/word.docx": "From Word.",
        "world.json#Kepler": "Dry.",
    }
    second = run("RAG/1_ingest.py")
    assert (second.returncode, second.stdout) == (2, done.stdout)
    assert (home / "chunks" / "sections.jsonl").read_text("utf-8").splitlines() == lines


def test_ctrl_c_leaves_the_old_sections(run: Run, home: Path) -> None:
    data = home / "data"
    data.mkdir(parents=True)
    (data / "a.md").write_text("Text.")
    assert run("RAG/1_ingest.py").returncode == 0
    before = (home / "chunks" / "sections.jsonl").read_text()
    for i in range(2000):  # each starts a program: minutes
        docx(data / f"{i:04}.docx")
    process = subprocess.Popen(
        [REPO / "RAG" / "1_ingest.py"],
        env={**os.environ, "RAG_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"[TEST] Reading {data}\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.strip().endswith("the same command goes on from there.")
    assert "Traceback" not in err
    assert [file.name for file in (home / "chunks").iterdir()] == ["sections.jsonl"]
    assert (home / "chunks" / "sections.jsonl").read_text() == before
