"""The soak in its short form: 50 streams, leaving clients, a killed upstream, a swapped index."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]
NOTE = "# {0}\n\n{0} keeps the station's water and distrusts the ford.\n"


def test_ten_seconds_of_everything_at_once(run: Run, home: Path) -> None:
    notes = home / "data" / "characters"
    notes.mkdir(parents=True)
    for name in ("Elena", "Jonas", "Mira"):
        (notes / f"{name.lower()}.md").write_text(NOTE.format(name), "utf-8")
    assert run("RAG/setup/1_ingest.py").returncode == 0
    made = run("RAG/setup/2_embed_and_store.py", "--model", "fast", "--collection", "novel")
    assert made.returncode == 0, made.stderr
    out = home / "soak.json"
    found = run("RAG/benchmarks/soak_proxy.py", "--streams", "50", "--seconds", "10", "--out", out)
    result = json.loads(out.read_text("utf-8"))
    assert result["problems"] == []
    assert found.returncode == 0, found.stderr
    assert result["answers"]["left"] > 0
    assert result["upstream_kills"] > 0
    assert found.stdout.splitlines()[-1] == f"[OK] No wrong answer, no leak. Written: {out}"
