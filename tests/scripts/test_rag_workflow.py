"""The documented steps of RAG/, in every documented way of typing them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
RAG_VENV = Path(os.environ.get("VENVS_DIR") or Path.home() / ".venvs") / "rag"
BARE = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
Run = Callable[..., subprocess.CompletedProcess[str]]
QUESTION = "What are Elena's key traits?"


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["./1_ingest.py"], "RAG"),
        (["./1_ingest.py"], "RAG/setup"),
        (["python3", "1_ingest.py"], "RAG"),
        ([BARE, "RAG/setup/1_ingest.py"], "."),
        (["RAG/1_ingest.py"], "."),
        ([str(RAG_VENV / "bin" / "python"), str(REPO / "RAG" / "1_ingest.py")], "docs"),
    ],
)
def test_ingest_runs_however_it_is_typed(
    run: Run, home: Path, words: list[str], folder: str
) -> None:
    done = run(*words, cwd=REPO / folder)
    assert done.returncode == 0, done.stderr
    assert "[OK] 92 files, " in done.stdout
    assert (home / "chunks" / "sections.jsonl").exists()
    assert done.stdout.endswith("[OK] Next: RAG/2_embed_and_store.py\n")


def test_ingest_with_an_activated_environment(run: Run, home: Path) -> None:
    path = f"{RAG_VENV}/bin:{os.environ['PATH']}"
    done = run("./1_ingest.py", cwd=REPO / "RAG", PATH=path, VIRTUAL_ENV=str(RAG_VENV))
    assert done.returncode == 0, done.stderr
    # With another environment activated it still finds its own.
    done = run("python", "1_ingest.py", cwd=REPO / "RAG", PATH=f"{sys.prefix}/bin:{path}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "script",
    [
        "RAG/1_ingest.py",
        "RAG/2_embed_and_store.py",
        "RAG/3_test_retrieval.py",
        "RAG/4_query.py",
        "RAG/serve_rag_proxy.py",
        "RAG/0_create_venv_with_deps.sh",
    ],
)
def test_help_on_bare_python(run: Run, tmp_path: Path, script: str) -> None:
    words = [script] if script.endswith(".sh") else [BARE, script]
    done = run(*words, "--help", VENVS_DIR=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "usage: " in done.stdout.lower()
    assert "example: " in done.stdout or script.endswith(".sh")


def test_the_documented_workflow_on_the_example_world(run: Run, home: Path) -> None:
    done = run("RAG/1_ingest.py")
    assert "holds no notes yet; taking the example world" in done.stderr
    done = run("./2_embed_and_store.py", "--model", "balanced", "--collection", "scifi_world",
               cwd=REPO / "RAG" / "setup")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("[WARN] Preset balanced (BAAI/bge-small-en-v1.5) cannot be had")
    manifest = json.loads((home / "chroma_db" / "scifi_world" / "current.json").read_text())
    assert (manifest["model"], manifest["dimension"]) == ("all-MiniLM-L6-v2", 384)

    done = run("./4_query.py", QUESTION, "--collection", "scifi_world", cwd=REPO / "RAG")
    assert done.returncode == 0, done.stderr
    assert "characters/elena-ruhl.md" in done.stdout.split("\n 2.")[0]
    (log,) = (home / "query_results").glob("query_*.json")
    assert json.loads(log.read_text())["query"] == QUESTION

    done = run("python3", "4_query.py", QUESTION, "--json", "--top-k", "2",
               cwd=REPO / "RAG" / "benchmarks")  # fmt: skip
    answer = json.loads(done.stdout)  # nothing else on stdout
    assert answer["query"] == QUESTION
    assert [set(result) for result in answer["results"]] == [
        {"path", "heading", "score", "why", "text"}
    ] * 2
    assert answer["results"][0]["path"] == "characters/elena-ruhl.md"


def test_own_notes_replace_the_example(run: Run, home: Path) -> None:
    assert run("RAG/1_ingest.py").returncode == 0
    assert run("RAG/2_embed_and_store.py", "--model", "fast").returncode == 0
    note = home / "data" / "characters" / "Maud Okonkwo ✨.md"
    note.parent.mkdir(parents=True)
    note.write_text("# Maud Okonkwo\n\nMaud keeps bees on the night side of Venus.", "utf-8")
    done = run("./1_ingest.py", cwd=REPO / "RAG")
    assert "[WARN] The example world leaves" in done.stderr
    done = run("./2_embed_and_store.py", cwd=REPO / "RAG")
    assert "[WARN] The example world has left collection 'scifi_world'." in done.stderr
    answer = json.loads(run("RAG/4_query.py", "Who keeps bees?", "--json").stdout)
    assert [result["path"] for result in answer["results"]] == ["characters/Maud Okonkwo ✨.md"]


def test_a_broken_note_is_one_warning_and_the_rest_goes_on(run: Run, home: Path) -> None:
    folder = home / "data"
    folder.mkdir(parents=True)
    (folder / "good.md").write_text("# Good\n\nText.", "utf-8")
    (folder / "bad.md").write_text("---\naliases: [\n---\nText.", "utf-8")
    done = run("RAG/1_ingest.py")
    assert done.returncode == 2
    assert done.stderr == (
        "[WARN] Left out bad.md: its front matter is not valid YAML in line 3. "
        "Mend the file and run this again.\n"
    )
    assert "1 files, 1 sections" in done.stdout
    (folder / "good.md").unlink()
    before = (home / "chunks" / "sections.jsonl").read_text()
    done = run("RAG/1_ingest.py")
    assert done.returncode == 1
    assert "[ERROR] No note in" in done.stderr
    assert (home / "chunks" / "sections.jsonl").read_text() == before


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["RAG/1_ingest.py", "--data", "/no/such"], "[ERROR] /no/such is not a folder."),
        (["RAG/2_embed_and_store.py"], "does not exist. Write it with: RAG/1_ingest.py"),
        (["RAG/2_embed_and_store.py", "--collection", "a/b"], "'a/b' is no name for a collection."),
        (["RAG/4_query.py", "x"], "There is no collection 'scifi_world'"),
        (["RAG/4_query.py", " "], "[ERROR] The question is empty."),
        (["RAG/4_query.py", "x", "--top-k", "0"], "--top-k is 0"),
        (["RAG/4_query.py", "x", "--collection", "a1b,c2d"], "There is no collection 'a1b'"),
        (["RAG/3_test_retrieval.py"], "There is no collection 'scifi_world'"),
        (["RAG/3_test_retrieval.py", "--model", "fast"], "keeps the model it was embedded with"),
        (["RAG/3_test_retrieval.py", "--dataset", "/no/such"], "documents.jsonl cannot be read"),
        (["RAG/3_test_retrieval.py", "--json", "/no/such/x.json"], "mkdir -p /no/such"),
        (["./serve_rag_proxy.sh", "other"], "There is no collection 'other'"),
        (["./serve_rag_proxy.sh", "--port", "x"], "[ERROR] --port x is no port."),
    ],
)
def test_mistakes_are_one_error_with_the_fix(run: Run, words: list[str], error: str) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert error in done.stderr
    assert done.stderr.count("[ERROR]") == 1
    assert "Traceback" not in done.stderr


def test_a_damaged_sections_file(run: Run, home: Path) -> None:
    (home / "chunks").mkdir(parents=True)
    for damage in ("", "{}", '{"format": 1, "source": "data"}\n{"note": 1}\n', "[1]\n"):
        (home / "chunks" / "sections.jsonl").write_text(damage)
        done = run("RAG/2_embed_and_store.py", "--model", "fast")
        assert done.returncode == 1
        assert "Write it again with: RAG/1_ingest.py" in done.stderr, damage


def limited(run: Run, kilobytes: int, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run in a mount namespace where RAG_HOME is a small disk that holds what it held before."""
    script = 'cp -a "$RAG_HOME" "$0" 2>/dev/null; mkdir -p "$RAG_HOME"; '
    script += 'mount -t tmpfs -o size="$1"k tmpfs "$RAG_HOME"; cp -a "$0"/. "$RAG_HOME" || true; '
    script += 'shift; "$@"; status=$?; ls -R "$RAG_HOME" >&1; exit $status'
    kept = str(home) + ".kept"
    return run("unshare", "--map-root-user", "--mount", "bash", "-c", script, kept,
               str(kilobytes), *words)  # fmt: skip


@pytest.fixture
def namespaces(run: Run) -> None:
    if shutil.which("unshare") is None or run("unshare", "-rm", "true").returncode != 0:
        pytest.skip("this machine lets no user make a mount namespace (unshare -rm)")


@pytest.mark.usefixtures("namespaces")
def test_a_full_disk_is_one_error_and_loses_nothing(run: Run, home: Path) -> None:
    done = limited(run, 100, home, "RAG/1_ingest.py")
    assert done.returncode == 1
    assert "[ERROR] No space left on device" in done.stderr
    assert "Free some disk space" in done.stderr
    assert "sections.jsonl" not in done.stdout.split("chunks:")[-1]

    assert run("RAG/1_ingest.py").returncode == 0
    shutil.rmtree(str(home) + ".kept", ignore_errors=True)
    done = limited(run, 1500, home, "RAG/2_embed_and_store.py", "--model", "fast")
    assert done.returncode == 1
    assert done.stderr.count("[ERROR] ") == 1
    assert " MB are free there. " in done.stderr
    assert "(see: df -h " in done.stderr
    assert "Traceback" not in done.stderr
    assert "v1" not in done.stdout


def test_ctrl_c_while_embedding_ends_with_a_sentence(run: Run, home: Path) -> None:
    folder = home / "data"
    folder.mkdir(parents=True)
    for i in range(40):  # minutes of embedding
        text = "\n\n".join(f"Paragraph {i} {j}. " + "The tide came in. " * 60 for j in range(50))
        (folder / f"{i}.md").write_text(f"# Note {i}\n\n{text}", "utf-8")
    assert run("RAG/1_ingest.py").returncode == 0
    process = subprocess.Popen(
        [REPO / "RAG" / "2_embed_and_store.py", "--model", "fast"],
        env={**os.environ, "RAG_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "[TEST] Loading all-MiniLM-L6-v2\n"
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "[WARN] Interrupted." in err
    assert "Traceback" not in err
    assert not list(home.glob("chroma_db/scifi_world/v*"))


def write_set(folder: Path) -> Path:
    """A judged set of two documents and two questions."""
    folder.mkdir()
    lines: dict[str, list[dict[str, object]]] = {
        "documents": [
            {"id": "bees", "title": "Bees", "text": "Maud keeps bees on the night side of Venus."},
            {"id": "maps", "title": "Maps", "text": "Jonas sells maps of the ford at noon."},
        ],
        "queries": [
            {"id": "q1", "query": "Who keeps bees?"},
            {"id": "q2", "query": "And what does he sell?",
             "history": [{"role": "user", "content": "Who is Jonas?"}]},
        ],
        "qrels": [
            {"query_id": "q1", "doc_id": "bees", "relevance": 1},
            {"query_id": "q2", "doc_id": "maps", "relevance": 1},
        ],
    }  # fmt: skip
    for name, entries in lines.items():
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    return folder


def test_a_judged_set_is_measured_and_compared_with_the_last_run(
    run: Run, home: Path, tmp_path: Path
) -> None:
    dataset, out = write_set(tmp_path / "set"), tmp_path / "out.json"
    done = run("RAG/3_test_retrieval.py", "--dataset", dataset, "--model", "fast", "--json", out)
    assert done.returncode == 0, done.stderr
    answer = json.loads(out.read_text("utf-8"))
    assert {
        "dataset", "settings_hash", "queries", "documents", "chunks", "ndcg@10", "recall@5",
        "recall@10", "mrr@10", "hit@1", "hit@5", "hit@10", "evidence_in_budget", "latency_ms",
        "embed_chunks_per_s",
    } <= answer.keys()  # fmt: skip
    assert (answer["dataset"], answer["queries"], answer["documents"]) == ("set", 2, 2)
    assert answer["hit@1"] == answer["ndcg@10"] == answer["evidence_in_budget"] == 1.0
    assert set(answer["latency_ms"]) == {"p50", "p95"}
    assert set(answer["compared"]) == {"all", "bm25", "dense"}
    for line in ("as served", "BM25 only", "dense only", "95 % from"):
        assert f"\n{line}" in done.stdout
    (log,) = (home / "test_results").glob("retrieval_set_*.json")
    assert json.loads(log.read_text("utf-8")) == answer
    assert log.with_suffix(".svg").read_text("utf-8").startswith("<svg ")
    assert not (home / "chroma_db").exists()  # indexed in a scratch store

    again = run("RAG/3_test_retrieval.py", "--dataset", dataset, "--model", "fast")
    assert f"Since the last run ({log.name}): no measure changed" in again.stdout


def test_follow_ups_lean_on_the_questions_before(run: Run, home: Path) -> None:
    folder = home / "data"
    folder.mkdir(parents=True)
    (folder / "maud.md").write_text("# Maud Okonkwo\n\nMaud keeps bees. Her ship is grey.", "utf-8")
    (folder / "jonas.md").write_text("# Jonas\n\nJonas sells maps. His ship is red.", "utf-8")
    assert run("RAG/1_ingest.py").returncode == 0
    assert (
        run("RAG/2_embed_and_store.py", "--model", "fast", "--collection", "book").returncode == 0
    )
    command = "printf 'And what colour is the ship?\\n\\n' | RAG/4_query.py 'Who is Jonas?' --chat"
    done = run("bash", "-c", f"{command} --top-k 1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("jonas.md") == 2
    assert "maud.md" not in done.stdout
