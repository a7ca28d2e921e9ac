"""The layering of DESIGN: who imports whom, and that vllm/ never shadows vllm."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PACKAGE = REPO / "src" / "scifi_llm"
AREAS = {"rag", "serving", "benchmarks", "finetuning"}
STANDARD = sys.stdlib_module_names | {"__future__"}
# A third-party package has one home in each area that needs it.
HOMES = {
    "Stemmer": {"rag/lexical.py"},
    "ahocorasick": {"rag/entities.py"},
    "bm25s": {"rag/lexical.py"},
    "chromadb": {"rag/store/"},
    "datasets": {"finetuning/"},
    "fastapi": {"rag/proxy/"},
    "uvicorn": {"rag/proxy/"},
    "uvloop": {"rag/bench/"},
    "httptools": {"rag/proxy/connection.py"},
    "httpx": {"openai_api/", "rag/proxy/", "rag/store/client.py"},
    "huggingface_hub": {"hub.py"},
    "mcp": {"rag/mcp_server.py"},
    "numpy": {"rag/"},
    "peft": {"finetuning/"},
    "onnxruntime": {"rag/backends/"},
    "openvino": {"rag/backends/"},
    "pip": {"environment.py"},
    "prometheus_client": {"rag/proxy/metrics.py"},
    "pynvml": {"serving/gpu.py"},
    "pypdf": {"documents/pdf.py"},
    "rich": {"serving/monitor/view.py"},
    "sentence_transformers": {"rag/backends/", "rag/reranking.py"},
    "starlette": {"rag/proxy/app.py"},
    "tokenizers": {"rag/tokenizer.py", "tokens.py"},
    "torch": {"finetuning/", "rag/backends/", "serving/models.py"},
    "transformers": {"finetuning/", "rag/backends/", "serving/models.py"},
    "trl": {"finetuning/"},
    "vllm": {"serving/verify.py"},
    "yaml": {"settings.py", "rag/editor/yaml_config.py"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(file: Path) -> list[tuple[ast.AST, str, bool]]:
    """(node, absolute module, at module level) of every import that runs."""
    tree = ast.parse(file.read_text("utf-8"))
    parts = ["scifi_llm", *file.relative_to(PACKAGE).with_suffix("").parts]
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node, alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [module] if node.module else [f"{module}.{a.name}" for a in node.names]
            found += [(node, name, id(node) in top) for name in names]
    return found


def area(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "scifi_llm" and len(parts) > 1 and parts[1] in AREAS else ""


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_follow_the_layers(file: Path) -> None:
    place = file.relative_to(PACKAGE).as_posix()
    own = place.split("/")[0] if place.split("/")[0] in AREAS else ""
    for _, module, at_top in imports(file):
        if module.startswith("scifi_llm"):
            assert area(module) in ("", own), f"{place} imports {module}"
            continue
        package = module.split(".")[0]
        if package in STANDARD:
            continue
        homes = HOMES.get(package, set())
        assert any(place.startswith(home) for home in homes), f"{place} imports {package}"
        # fastapi's decorators need it at the top; these modules are themselves imported at use.
        assert not at_top or place.startswith("rag/proxy/"), f"{place} imports {package} at its top"


def test_every_home_is_in_use() -> None:
    used = {name.split(".")[0] for file in MODULES for _, name, _ in imports(file)}
    assert set(HOMES) <= used


def test_core_answers_on_bare_python() -> None:
    code = (
        "import scifi_llm.environment, scifi_llm.rag.ingest, scifi_llm.rag.index, "
        "scifi_llm.rag.query, scifi_llm.rag.proxy.server, scifi_llm.serving.engine, scifi_llm.ask, "
        "scifi_llm.finetuning.prepare, scifi_llm.finetuning.train, scifi_llm.finetuning.evaluate, "
        "scifi_llm.finetuning.merge, scifi_llm.finetuning.served"
    )
    subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, 'src'); {code}"],
                   cwd=REPO, check=True)  # fmt: skip


def test_the_folder_vllm_is_no_package_and_no_module_lies_in_the_root() -> None:
    assert not list((REPO / "vllm").rglob("__init__.py"))
    assert not list(REPO.glob("*.py"))
    code = "from importlib.metadata import version; from scifi_llm.serving import engine"
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {code}"],
        cwd=REPO,
        check=True,
    )
    sources = "".join(file.read_text("utf-8") for file in MODULES)
    assert 'find_spec("vllm' not in sources.replace('`find_spec("vllm")`', "")
    assert "export PYTHONSAFEPATH=1" in (REPO / "lib" / "common.sh").read_text("utf-8")


@pytest.mark.parametrize(
    "script",
    sorted(
        [
            *(REPO / "RAG").rglob("*.py"),
            *(REPO / "vllm" / "health_checks").glob("*.py"),
            *(REPO / "vllm" / "benchmarks").glob("*.py"),
            *(REPO / "fine-tuning" / "scripts").glob("*.py"),
        ]
    ),
    ids=lambda p: str(p.relative_to(REPO)),
)
def test_numbered_scripts_are_thin(script: Path) -> None:
    tree = ast.parse(script.read_text("utf-8"))
    first = tree.body[0]
    assert isinstance(first, ast.Expr)
    assert len(ast.get_docstring(tree) or "") > 300
    code = script.read_text("utf-8").splitlines()[(first.end_lineno or 0) :]
    assert len([line for line in code if line.strip()]) < 15
    assert script.stat().st_mode & 0o111
