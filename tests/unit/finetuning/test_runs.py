"""Records as tokens, runs that begin or go on, adapters that fit or not."""

from __future__ import annotations

import json
import signal
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import parse_note
from scifi_llm.errors import ToolkitError
from scifi_llm.finetuning.adapters import check_shapes, read_adapter, tensor_shapes
from scifi_llm.finetuning.bases import Shape, find_base, shape_of
from scifi_llm.finetuning.callbacks import Interrupt, Watch, append, keep_until
from scifi_llm.finetuning.config import Config, from_mapping
from scifi_llm.finetuning.encoding import IGNORED, encode, encode_all
from scifi_llm.finetuning.evaluate import check_other
from scifi_llm.finetuning.samples import other_records, take
from scifi_llm.finetuning.served import check_servable
from scifi_llm.finetuning.train import last_checkpoint, process_command, start_or_resume

SHAPE = Shape(8, 16, 2, 2, 1, 100)


class Letters:
    """A tokenizer whose tokens are characters; `bos` 1, `eos` 2."""

    bos_token_id, eos_token_id = 1, 2

    def __init__(self, bos: bool = False, template: bool = True) -> None:
        self.bos = bos
        self.chat_template = "yes" if template else None

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        first = [1] if self.bos and add_special_tokens else []
        return {"input_ids": first + [ord(letter) for letter in text]}

    def apply_chat_template(
        self,
        messages: list[dict[str, str]],
        add_generation_prompt: bool = False,
        tokenize: bool = True,
    ) -> str:
        made = "".join(f"<{m['role']}>{m['content']}</>\n" for m in messages)
        return made + ("<assistant>" if add_generation_prompt else "")


def words(ids: list[int]) -> str:
    return "".join(chr(i) if i > 2 else {1: "[bos]", 2: "[eos]", IGNORED: "_"}[i] for i in ids)


RAW = {"text": "He went.", "eos": True}
ASKED = {**RAW, "prompt": "Go"}
CHAT = {
    **ASKED,
    "messages": [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "He went."}],
}


@pytest.mark.parametrize(
    ("record", "ids", "labels"),
    [
        (RAW, "He went.[eos]", "He went.[eos]"),
        ({**RAW, "eos": False}, "He went.", "He went."),
        (ASKED, "Go\n\nHe went.[eos]", "____He went.[eos]"),
        (CHAT, "<user>Go</>\n<assistant>He went.</>\n", "_" * 23 + "He went.</>\n"),
        ({**CHAT, "eos": False}, "<user>Go</>\n<assistant>He went.", "_" * 23 + "He went."),
    ],
)
def test_what_is_read_and_what_teaches(record: dict[str, Any], ids: str, labels: str) -> None:
    made = encode(record, Letters(), "completion")
    assert (words(made["input_ids"]), words(made["labels"])) == (ids, labels)
    whole = encode(record, Letters(), "all")
    assert whole["labels"] == whole["input_ids"] == made["input_ids"]


def test_a_begin_token_where_the_model_wants_one() -> None:
    assert words(encode(RAW, Letters(bos=True), "all")["input_ids"]) == "[bos]He went.[eos]"
    columns = encode_all([RAW, ASKED], Letters(), "completion")
    assert [len(row) for row in columns["input_ids"]] == [len(row) for row in columns["labels"]]


def test_chat_needs_a_template() -> None:
    with pytest.raises(ToolkitError, match="no chat template"):
        encode(CHAT, Letters(template=False), "all")


def checkpoint(out: Path, step: int, whole: bool = True) -> Path:
    folder = out / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "scheduler.pt"):
        (folder / name).write_bytes(b"x")
    (folder / "trainer_state.json").write_text("{}", "utf-8")
    if whole:
        with zipfile.ZipFile(folder / "optimizer.pt", "w") as archive:
            archive.writestr("data", "x")
    else:
        (folder / "optimizer.pt").write_bytes(b"PK cut off")
    return folder


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    old = checkpoint(tmp_path, 50)
    checkpoint(tmp_path, 100, whole=False)
    (tmp_path / "checkpoint-tmp").mkdir()
    assert last_checkpoint(tmp_path) == old


@pytest.fixture
def run(tmp_path: Path) -> tuple[Config, Path, Path]:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "validation", "test"):
        (data / f"{split}.jsonl").write_text("{}\n", "utf-8")
    return from_mapping({"model": "m"}, "x", max_steps=10), data, tmp_path / "out"


def test_a_run_begins_once_and_goes_on(run: tuple[Config, Path, Path]) -> None:
    config, data, out = run
    assert start_or_resume(config, data, out, resume=False) is None
    made = checkpoint(out, 5)
    with pytest.raises(ToolkitError, match="holds a run") as caught:
        start_or_resume(config, data, out, resume=False)
    assert "--resume" in caught.value.fix
    assert start_or_resume(config, data, out, resume=True) == made


def test_resume_without_a_checkpoint_begins(
    run: tuple[Config, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config, data, out = run
    assert start_or_resume(config, data, out, resume=True) is None
    assert "holds no checkpoint; starting from the beginning" in capsys.readouterr().err


def test_a_run_does_not_go_on_with_other_settings_or_data(
    run: tuple[Config, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config, data, out = run
    start_or_resume(config, data, out, resume=False)
    made = checkpoint(out, 5)
    other = from_mapping({"model": "m", "lora": {"rank": 8}}, "x", max_steps=10)
    with pytest.raises(ToolkitError, match=r"lora is .* the run in .* began with"):
        start_or_resume(other, data, out, resume=True)
    longer = from_mapping({"model": "m", "evaluate": {"keep": 5}}, "y", max_steps=20)
    assert start_or_resume(longer, data, out, resume=True) == made
    assert "another curve" in capsys.readouterr().err
    (data / "train.jsonl").write_text("{}\n{}\n", "utf-8")
    with pytest.raises(ToolkitError, match="data are not those"):
        start_or_resume(config, data, out, resume=True)


def test_log_lines_of_later_steps_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    keep_until(file, 3)
    for step in range(1, 6):
        append(file, {"step": step, "loss": 1.0})
    keep_until(file, 3)
    assert [json.loads(line)["step"] for line in file.read_text("utf-8").splitlines()] == [1, 2, 3]


def safetensors(file: Path, shapes: dict[str, list[int]]) -> None:
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4
        for width in shape:
            size *= width
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * at)


def adapter(folder: Path, inputs: int = 8, layers: int = 2, **settings: Any) -> Path:
    folder.mkdir(exist_ok=True)
    base = folder.parent / "base"
    base.mkdir(exist_ok=True)
    (base / "config.json").write_text(json.dumps({**vars(SHAPE), "head_dim": None}), "utf-8")
    made = {"r": 4, "base_model_name_or_path": str(base), **settings}
    (folder / "adapter_config.json").write_text(json.dumps(made), "utf-8")
    shapes = {}
    for layer in range(layers):
        name = f"base_model.model.model.layers.{layer}.mlp.up_proj"
        shapes |= {f"{name}.lora_A.weight": [4, inputs], f"{name}.lora_B.weight": [16, 4]}
    safetensors(folder / "adapter_model.safetensors", shapes)
    return folder


def test_an_adapter_names_its_base_and_fits_it(tmp_path: Path) -> None:
    made = read_adapter(adapter(tmp_path / "a"))
    assert Path(made.base).name == "base"
    check_shapes(made, SHAPE)
    check_servable(made)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"inputs": 12}, "up_proj takes 12 inputs there, 8 in the base"),
        ({"layers": 3}, "it has 3 layers, the base 2"),
    ],
)
def test_an_adapter_of_another_model_is_refused(
    tmp_path: Path, more: dict[str, int], message: str
) -> None:
    with pytest.raises(ToolkitError, match=message):
        read_adapter(adapter(tmp_path / "a", **more))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["x"]}, "modules_to_save"),
        ({"r": 600}, "rank 600"),
    ],
)
def test_what_vllm_does_not_serve(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolkitError, match=message) as caught:
        check_servable(read_adapter(adapter(tmp_path / "a", **settings)))
    assert "4_merge.py --adapter" in caught.value.fix


def test_folders_without_a_whole_adapter(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="holds no adapter"):
        read_adapter(tmp_path)
    (tmp_path / "checkpoint-5").mkdir()
    with pytest.raises(ToolkitError, match="holds no finished adapter"):
        read_adapter(tmp_path)
    folder = adapter(tmp_path / "a")
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(ToolkitError, match="damaged or cut off"):
        read_adapter(folder)
    (folder / "adapter_config.json").write_text("[]", "utf-8")
    with pytest.raises(ToolkitError, match="is damaged"):
        read_adapter(folder)


def test_tensor_shapes_of_a_real_header(tmp_path: Path) -> None:
    safetensors(tmp_path / "x.safetensors", {"a": [2, 3], "b": [1]})
    assert tensor_shapes(tmp_path / "x.safetensors") == {"a": [2, 3], "b": [1]}


def test_a_base_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIFI_LLM_CACHE", str(tmp_path))
    with pytest.raises(ToolkitError, match="not converted yet") as caught:
        find_base("SmolLM2-135M-Instruct")
    assert caught.value.fix == "Run: vllm/setup/6_download_model.sh"
    with pytest.raises(ToolkitError, match="holds no model"):
        find_base(str(tmp_path))
    with pytest.raises(ToolkitError, match="no hidden_size"):
        shape_of({"model_type": "vision"})


def test_the_other_author_is_another(tmp_path: Path) -> None:
    train = [{"text": " ".join(f"word{i}" for i in range(k, k + 40))} for k in range(0, 400, 40)]
    other = [{"text": " ".join(f"other{i}" for i in range(k, k + 40))} for k in range(0, 400, 40)]
    check_other(train, other, tmp_path)
    with pytest.raises(ToolkitError, match="too little prose"):
        check_other(train, other[:2], tmp_path)
    with pytest.raises(ToolkitError, match="was trained on"):
        check_other(train, [*other, train[0]], tmp_path)


def test_one_process_for_each_gpu() -> None:
    command = process_command(2, ["2_train.py", "--config", "x"])
    assert command[1:] == ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
                           "2_train.py", "--config", "x"]  # fmt: skip


def test_the_first_ctrl_c_asks_and_the_second_ends(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        assert "Ending after this step" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_is_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = from_mapping({"model": "m", "parallel": {"strategy": "ddp", "gpus": 2}}, "x")
    interrupt = Interrupt()
    watch = Watch(config, tmp_path, None, interrupt)
    state = SimpleNamespace(is_world_process_zero=True, max_steps=3, global_step=0)
    control = SimpleNamespace(should_save=False, should_training_stop=False)
    watch.begin(state)
    for step in (1, 2):
        state.global_step = step
        watch.step(control)
        watch.log(state, {"loss": 3.0 - step})
    assert not control.should_save
    interrupt.asked = True
    watch.step(control)
    assert control.should_save
    assert control.should_training_stop
    watch.evaluated(state, {"eval_loss": 2.0}, None)
    assert "[OK] Step 2: validation loss 2.0000 (perplexity 7.4)" in capsys.readouterr().out
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 2.0), (2, 1.0)]


def test_another_process_tells_nothing(tmp_path: Path) -> None:
    config = from_mapping({"model": "m"}, "x")
    watch = Watch(config, tmp_path, None, Interrupt())
    state = SimpleNamespace(is_world_process_zero=False, max_steps=3, global_step=1)
    watch.begin(state)
    watch.step(SimpleNamespace())
    watch.log(state, {"loss": 1.0})
    watch.evaluated(state, {"eval_loss": 2.0}, None)
    assert not list(tmp_path.iterdir())


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 5000))
def test_pieces_are_taken_from_all_over(sizes: list[int], tokens: int) -> None:
    records = [{"text": "x", "tokens": size, "i": i} for i, size in enumerate(sizes)]
    taken = [record["i"] for record in take(records, tokens, 128)]
    assert taken == sorted(set(taken))
    assert 1 <= len(taken) <= len(records)
    if tokens >= sum(sizes):
        assert len(taken) == len(records)


def test_another_author_in_pieces() -> None:
    text = "# B\n\n" + "\n\n".join("word " * 50 for _ in range(9))
    made = other_records(parse_note(text, "b.md"))
    assert [len(record["text"].split()) for record in made] == [150, 150, 150]
