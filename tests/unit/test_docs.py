"""Check the documentation: length, links, paths, help blocks.

`python3 tests/unit/test_docs.py --write` brings the help blocks up to date.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORLD = ROOT / "examples" / "scifi_world"  # notes of a book: no documentation
MAX_WORDS = 1000
FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
HELP = re.compile(
    r"(<!-- help: (?P<command>.+?) -->\n```text\n)(?P<text>.*?)(?=^```$)", re.M | re.S
)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55\ufe0f]")
SUFFIXES = (".sh", ".py", ".md", ".yaml", ".txt")
PATH = re.compile(r"[\w.-][\w./-]*")
PLACEHOLDER = re.compile(r"(^|/)(NAME|DIR|FILE|MODEL|vN|YYYY-MM-DD_\w+\.md)(/|$)")
# Made at run time and ignored by git, in the repository or in RAG_HOME.
GENERATED = re.compile(
    r"(RAG/)?(benchmarks/)?(chunks|chroma_db|query_results|test_results)(/|$)|run/|\.venvs/"
)
HUB = ("meta-llama/", "Qwen/", "BAAI/", "Alibaba-NLP/", "casperhansen/")


def documents() -> list[Path]:
    """Markdown files of the repository, without the example world."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        files = {ROOT / line for line in listed.stdout.splitlines()}
    except (OSError, subprocess.CalledProcessError):
        files = set(ROOT.rglob("*.md"))
    return sorted(file for file in files if file.is_file() and WORLD not in file.parents)


def words(text: str) -> int:
    """Words as `wc -w` counts them, marks of tables included."""
    return len(text.split())


def is_path(code: str) -> bool:
    """Does a text in backticks name a file or folder of the repository?"""
    if not PATH.fullmatch(code) or code.startswith(("-", "http")) or code in SUFFIXES:
        return False
    if PLACEHOLDER.search(code) or GENERATED.match(code) or code.startswith(HUB):
        return False
    return "/" in code or code.endswith(SUFFIXES)


def missing(targets: list[str], bases: list[Path]) -> list[str]:
    """The targets that exist below none of the folders."""
    return [target for target in targets if not any((base / target).exists() for base in bases)]


def help_of(command: str) -> str:
    """What a command prints for --help, run in the root."""
    words_ = [*shlex.split(command), "--help"]
    env = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(words_, cwd=ROOT, capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_current_help(text: str) -> str:
    """A document with its help blocks as the commands print them now."""
    return HELP.sub(lambda block: block[1] + help_of(block["command"]), text)


def name(file: Path) -> str:
    """A document's path in the repository, as the test's id."""
    return file.relative_to(ROOT).as_posix()


each_document = pytest.mark.parametrize("file", documents(), ids=name)


@each_document
def test_length(file: Path) -> None:
    assert words(file.read_text(encoding="utf-8")) <= MAX_WORDS


@each_document
def test_links_lead_somewhere(file: Path) -> None:
    prose = FENCE.sub("", file.read_text(encoding="utf-8"))
    targets = [link.split("#")[0] for link in LINK.findall(prose) if "://" not in link]
    assert missing([target for target in targets if target], [file.parent]) == []


@each_document
def test_paths_exist(file: Path) -> None:
    prose = FENCE.sub("", file.read_text(encoding="utf-8"))
    paths = [code.removeprefix("./") for code in CODE.findall(prose)]
    bases = [ROOT, file.parent, WORLD, *(note.parent for note in WORLD.rglob("*.md"))]
    assert missing([path for path in paths if is_path(path)], bases) == []


@each_document
def test_no_emojis(file: Path) -> None:
    assert EMOJI.findall(file.read_text(encoding="utf-8")) == []


@each_document
def test_help_blocks_are_current(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(HELP.findall(text)) == len(re.findall("^<!-- help: ", text, re.MULTILINE))
    assert text == with_current_help(text)


def test_history_has_no_code_blocks() -> None:
    history = [file for file in documents() if file.parent == ROOT / "docs" / "history"]
    assert [name(file) for file in history if "```" in file.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("RAG/1_ingest.py", True),
        ("README.md", True),
        ("lib/", True),
        ("git pull", False),
        ("~/.venvs/rag", False),
        ("/v1/models", False),
        ("docs/history/*.md", False),
        ("RAG/chroma_db/NAME/current.json", False),
        ("chunks/sections.jsonl", False),
        ("BAAI/bge-small-en-v1.5", False),
        (".md", False),
        ("as_of", False),
    ],
)
def test_is_path(code: str, expected: bool) -> None:
    assert is_path(code) is expected


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("Usage: python3 tests/unit/test_docs.py --write")
    for document in documents():
        old = document.read_text(encoding="utf-8")
        new = with_current_help(old)
        if new != old:
            document.write_text(new, encoding="utf-8")
            print(f"[OK] {name(document)}")
