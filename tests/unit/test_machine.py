"""What a measurement was taken on."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from scifi_llm import machine


def test_a_record_names_machine_commit_and_versions() -> None:
    found = machine.record(("pytest", "no-such-package"))
    assert found["machine"]["cpus"] == os.cpu_count()
    assert found["machine"]["cpu"]
    assert found["machine"]["memory_gib"] > 0.1
    assert set(found["versions"]) == {"python", "pytest"}
    assert found["versions"]["python"] == platform.python_version()
    assert len(found["commit"]) in (0, 40)
    assert isinstance(found["changed_files"], int)
    assert json.loads(json.dumps(found)) == found


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert machine.first_match("x", str(tmp_path / "none")) == ""
    (tmp_path / "file").write_text("a: 1\nb: 2\n", "utf-8")
    assert machine.first_match(r"^b: (\d)$", str(tmp_path / "file")) == "2"
    assert machine.first_match(r"^c: (\d)$", str(tmp_path / "file")) == ""
