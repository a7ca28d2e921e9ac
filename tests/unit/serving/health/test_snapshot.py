"""The snapshot: complete, without secrets, and about machines on which nothing runs or is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.serving.health import inventory
from scifi_llm.serving.health.snapshot import (
    listeners,
    main,
    pid_rows,
    public,
    redact,
    settings,
    table,
)

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int) -> Path:
    """A home directory with nothing in it, and ports on which nothing answers."""
    for name in [*os.environ]:
        if name.lower().endswith(("_proxy", "_key", "_token")) or name.startswith("HF_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("VENVS_DIR", str(folder / ".venvs"))
    monkeypatch.setenv("SCIFI_LLM_CACHE", str(folder / ".cache" / "scifi-llm"))
    monkeypatch.setenv("RUN_DIR", str(folder / "run"))
    monkeypatch.setenv("VLLM_PORT", str(free_port))
    monkeypatch.setenv("RAG_PORT", str(free_port))
    return folder


def section(text: str, title: str) -> str:
    """What stands below a heading."""
    return text.split(f"\n## {title}\n\n")[1].split("\n## ")[0].strip()


def taken(run: Any, home: Path, *words: str) -> str:
    """The text of a snapshot."""
    status, out, err = run(main, "--out", str(home / "s.md"), *words)
    text = (home / "s.md").read_text("utf-8")
    assert (status, err) == (0, "")
    assert out == (
        "[TEST] Looking at machine, environments, settings and servers\n"
        f"[OK] Written to {home / 's.md'} ({len(text.splitlines())} lines, without secrets)\n"
        "[OK] Next: ./serve_rag_proxy.sh\n"
    )
    return text


def test_a_machine_without_anything(run: Any, home: Path, free_port: int) -> None:
    text = taken(run, home)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Snapshot of the toolkit",
        "## Toolkit",
        "## Machine",
        "## GPU",
        "## Servers",
        "## Settings",
        "## Caches of models",
        "## Environment rag",
        "## Environment llm",
    ]
    assert section(text, "Servers") == (
        "| address | listens | models |\n| --- | --- | --- |\n"
        f"| http://127.0.0.1:{free_port}/v1 | nobody | no answer |\n\nnone"
    )
    assert section(text, "Caches of models") == (
        "| folder | size |\n| --- | --- |\n"
        "| ~/.cache/scifi-llm | no models |\n| ~/.cache/huggingface/hub | no models |"
    )
    assert section(text, "Environment rag") == "~/.venvs/rag does not exist."
    assert section(text, "Environment llm") == "~/.venvs/llm does not exist."


def test_no_secret_is_in_the_file(
    run: Any, home: Path, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "HF_TOKEN": "hf_aaaabbbbccccdddd",
        "RAG_API_KEY": "s3cr3t|with|bars",
        "OPENAI_API_KEY": "sk-0123456789",
        "MY_DATABASE_PASSWORD": "http://nobody.expects",
        "BUDGET_TOKENS": "31415926",
        "HTTPS_PROXY": "http://author:pa/ss@word@proxy.example:3128/?token=qwertz",
        "http_proxy": "author:pass?word@proxy.example:3128",
        "RAG_UPSTREAM_URL": "http://127.0.0.1:8000/v1?api_key=zuiopue#x",
        "MODEL": "sk-0123456789/model",
        "HF_ENDPOINT": "http://nobody.expects/it",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    fake.key = secrets["OPENAI_API_KEY"]
    with_password = fake.url.replace("http://", "http://editor:hunter2@")
    text = taken(run, home, "--base-url", with_password)
    words = (
        "aaaabbbb s3cr3t bars 0123456789 nobody. 31415926 author pa/ss word@ qwertz pass? zuiopue "
        "editor hunter2"
    )
    assert [word for word in [*words.split(), str(home)] if word in text] == []
    rows = section(text, "Settings").splitlines()
    assert rows[-1] == (
        "Secrets: HF_TOKEN set, HUGGING_FACE_HUB_TOKEN unset, OPENAI_API_KEY set, "
        "RAG_API_KEY set, UPSTREAM_API_KEY unset, VLLM_API_KEY unset"
    )
    assert "| BUDGET_TOKENS | (not shown) | environment |" in rows
    assert "| HTTPS_PROXY | http://proxy.example:3128/ | environment |" in rows
    assert "| http_proxy | proxy.example:3128 | environment |" in rows
    assert "| RAG_UPSTREAM_URL | http://127.0.0.1:8000/v1 | environment |" in rows
    assert f"| {fake.url} | " in text


def test_servers_and_their_pid_files(
    run: Any, home: Path, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = fake.url.split(":")[2].split("/")[0]
    monkeypatch.setenv("VLLM_PORT", port)
    fake.key = "the-proxy-has-one"
    monkeypatch.setenv("RAG_API_KEY", fake.key)
    since = (Path("/proc/self/stat").read_text().rpartition(") ")[2]).split()[19]
    (home / "run").mkdir()
    (home / "run" / f"vllm-{port}.pid").write_text(f"{os.getpid()} {since} {home}/a model\n")
    (home / "run" / f"vllm-{port}.log").write_bytes(b"x" * 2048 + b"private words")
    (home / "run" / "proxy-1.pid").write_text(f"{os.getpid()} 1 world\n")
    (home / "run" / "broken-2.pid").write_text("")
    text = taken(run, home)
    assert pid_rows(home / "run") == [
        ("broken-2", "", "", "ended", "no log"),
        ("proxy-1", str(os.getpid()), "world", "ended", "no log"),
        (f"vllm-{port}", str(os.getpid()), f"{home}/a model", "running", "2.0 KiB"),
    ]
    assert f"| vllm-{port} | {os.getpid()} | ~/a model | running | 2.0 KiB |" in text
    assert f"127.0.0.1:{port}" in listeners(int(port))
    rows = section(text, "Servers").splitlines()
    assert [
        row.split(" | ")[2] for row in rows if row.startswith(f"| http://127.0.0.1:{port}")
    ] == ["tiny (max_model_len 8192) |"]
    assert "private" not in text


def test_environments_and_models(run: Any, home: Path) -> None:
    found = inventory.pins(REPO / "requirements" / "rag.txt")
    pins = {name: versions for name, (versions, always) in found.items() if always}
    venv = home / ".venvs" / "rag"
    site = venv / "lib" / "python3.12" / "site-packages"
    first, second, *others = sorted(pins)
    for name, version in ((first, pins[first][0]), (second, "0.0.1"), ("stray", "1")):
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.3\n")
    model = home / ".cache" / "huggingface" / "hub" / "models--org--name"
    model.mkdir(parents=True)
    (model / "weights").write_bytes(b"x" * 3000)
    (model / "link").symlink_to(model / "weights")
    text = taken(run, home)
    assert section(text, "Environment rag").splitlines() == [
        f"~/.venvs/rag: Python 3.12.3, 3 packages; of {len(others) + 2} pins of "
        f"requirements/rag.txt {len(others) + 1} differ.",
        "",
        "| package | version | lock |",
        "| --- | --- | --- |",
        f"| {first} | {pins[first][0]} |  |",
        f"| {second} | 0.0.1 | differs: {pins[second][0]} |",
        *(f"| {name} | missing | differs: {pins[name][0]} |" for name in others),
    ]
    assert "| ~/.cache/huggingface/hub/models--org--name | 3." in text


def test_the_file_has_a_time_in_its_name(run: Any, home: Path) -> None:
    assert run(main)[0] == 0
    (made,) = (home / "run").iterdir()
    assert len(made.name) == len("snapshot_20261123_041008.md")


def test_a_place_that_cannot_be_written(run: Any, home: Path) -> None:
    assert run(main, "--out", str(home)) == (
        1,
        "[TEST] Looking at machine, environments, settings and servers\n",
        f"[ERROR] {home} cannot be written: Is a directory. Name another file: --out FILE\n",
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h:1/v1?k=v end", "http://h:1/v1 end"),
        ("https://h/a#frag | next", "https://h/a | next"),
        ("the word false stays, topsecret1 goes", "the word false stays, (not shown) goes"),
        ("/home/me/x /home/me | /home/mellow", "~/x ~ | /home/mellow"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    environ = {"A_TOKEN": "topsecret1", "TOKENIZERS_PARALLELISM": "false"}
    assert redact(text, environ, "/home/me") == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://u:a/b@c@h:1/", "http://h:1/"),
        ("u:p@h:1", "h:1"),
        ("http://h:1/", "http://h:1/"),
        ("plain", "plain"),
    ],
)
def test_public(value: str, shown: str) -> None:
    assert public(value) == shown


def test_settings_tell_where_they_come_from() -> None:
    rows = settings({"TOP_K": "5", "COLLECTION": "scifi_world", "ENGINE": "cpu", "OTHER": "x"})
    assert ("TOP_K", "5", "environment") in rows
    assert ("COLLECTION", "scifi_world", "lib/defaults.env") in rows
    assert ("BUDGET_TOKENS", "2000", "lib/defaults.env") in rows
    assert rows[-1] == ("ENGINE", "cpu", "environment")


def test_table() -> None:
    assert table(("a", "b"), []) == "none\n"
    assert table(("a", "b"), [("x|y", "1\n2")]) == "| a | b |\n| --- | --- |\n| x\\|y | 1 2 |\n"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (5 * 2**20, "5.0 MiB"), (2**42, "4096.0 GiB")]
)
def test_human(size: int, text: str) -> None:
    assert inventory.human(size) == text


def test_a_lock_may_pin_a_package_for_each_python(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "# made by uv\n--index-url x\nA_b==1.0 ; python_full_version < '3.12'\n"
        "a-b==2 ; python_full_version >= '3.12'\nc==3+cpu\n"
    )
    assert inventory.pins(lock) == {"a-b": (["1.0", "2"], False), "c": (["3+cpu"], True)}
