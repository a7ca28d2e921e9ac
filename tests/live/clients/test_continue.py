"""The real Continue client, with the settings that setup_continue.sh writes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).resolve().parents[3]
QUESTION = "What are Elena Ruhl's key traits?"
NOTE = "key traits are patience, exactness, stubbornness"
Run = Callable[..., subprocess.CompletedProcess[str]]
CN = "@continuedev/cli/dist/cn.js"


@pytest.fixture
def proxy(stack: Any, recorder: Any, free_port: int) -> Iterator[str]:
    """A proxy in front of the recording upstream; its address for editors."""
    port = str(free_port)
    stack.must("./serve_rag_proxy.sh", "--port", port, "--upstream", recorder.url, "--detach")
    yield f"http://localhost:{port}/v1"
    stack.must("./serve_rag_proxy.sh", "--port", port, "--stop")


def test_the_clients_question_reaches_the_upstream_with_elenas_note(
    stack: Any, proxy: str, recorder: Any, run_node: Run, tmp_path: Path
) -> None:
    stack.must("./setup_continue.sh", "--dir", str(tmp_path), "--url", proxy, "--mcp")
    config = tmp_path / "config.yaml"
    checked = run_node("@continuedev/config-yaml/dist/cli.js", str(config))
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
    answered = run_node(CN, "-p", "--config", str(config), QUESTION)
    assert answered.returncode == 0, answered.stderr
    sent = recorder.bodies[-1]
    assert NOTE in recorder.text()
    assert recorder.text().rstrip().endswith(QUESTION)
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("small", 0.85, 2000)
    assert sent["stream"] is True
    tools = {tool["function"]["name"] for tool in sent["tools"]}
    assert {"Read", "search_canon", "explain"} <= tools
    assert "rag" not in sent
    assert answered.stdout.startswith("She counts to three.")
    assert "(characters/elena-ruhl.md)" in answered.stdout


def test_an_entry_of_an_early_chapter_hides_what_is_told_later(
    stack: Any, proxy: str, recorder: Any, run_node: Run, tmp_path: Path
) -> None:
    stack.must("./setup_continue.sh", "--dir", str(tmp_path), "--url", proxy, "--as-of", "1")
    config = tmp_path / "config.yaml"
    settings = yaml.safe_load(config.read_text("utf-8"))
    early = [entry for entry in settings["models"] if entry["name"] == "Canon up to chapter 1"]
    for entries, told in ((settings["models"], True), (early, False)):
        config.write_text(yaml.safe_dump({**settings, "models": entries}), "utf-8")
        answered = run_node(CN, "-p", "--config", str(config), "What does the unsigned letter say?")
        assert answered.returncode == 0, answered.stderr
        assert ("The Unsigned Letter" in recorder.text()) == told


def test_the_client_gets_an_answer_from_the_real_model(
    stack: Any, run_node: Run, tmp_path: Path
) -> None:
    url = f"http://localhost:{stack.rag_port}/v1"
    stack.must("./setup_continue.sh", "--dir", str(tmp_path), "--url", url)
    answered = run_node(CN, "-p", "--config", str(tmp_path / "config.yaml"), QUESTION)
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.strip()


def test_the_documented_entry_is_valid(run_node: Run, tmp_path: Path) -> None:
    guide = (REPO / "docs" / "VSCODE_WRITING_SETUP.md").read_text("utf-8")
    (entry,) = re.findall(r"```yaml\n(.*?)```", guide, re.S)
    config = tmp_path / "config.yaml"
    config.write_text(f"name: a\nversion: 0.0.1\nschema: v1\nmodels:\n{entry}", "utf-8")
    checked = run_node("@continuedev/config-yaml/dist/cli.js", str(config))
    assert (checked.returncode, checked.stderr) == (0, "")
