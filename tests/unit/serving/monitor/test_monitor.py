"""The monitor: arguments, looks at servers that come and go, JSON, and what people see."""

from __future__ import annotations

import io
import json
import math
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.errors import ToolkitError
from scifi_llm.serving.gpu import Gpu
from scifi_llm.serving.monitor import main as monitor
from scifi_llm.serving.monitor import text as monitor_text
from scifi_llm.serving.monitor import view as monitor_view
from scifi_llm.serving.monitor.history import BARS, WINDOW_S, History, Interval, sparkline
from scifi_llm.serving.monitor.report import Proxy, Report
from scifi_llm.serving.monitor.watch import Watcher, own_figures, proxy_of

REPO = Path(__file__).resolve().parents[4]
CURRENT = (Path(__file__).parents[1] / "metrics_0_32_0.txt").read_text(encoding="utf-8")
URL, PROXY_URL = "http://127.0.0.1:8000", "http://127.0.0.1:8001"
START = datetime.fromtimestamp(1795406875.7, UTC) + timedelta(minutes=2)
HEALTH = json.dumps(
    {
        "status": "ok",
        "collection": "scifi_world",
        "chunks": 455,
        "upstream": {"url": f"{URL}/v1", "status": "ok"},
    }
)


def page(tokens: int, started: float = 1795406875.7, **finished: int) -> str:
    """A server's /metrics, in short."""
    reasons = "".join(
        f'vllm:request_success_total{{engine="0",finished_reason="{key}"}} {number}.0\n'
        for key, number in finished.items()
    )
    return (
        f"process_start_time_seconds {started!r}\n"
        'vllm:num_requests_running{engine="0",model_name="small"} 1.0\n'
        f'vllm:generation_tokens_total{{engine="0",model_name="small"}} {tokens}.0\n'
        f"{reasons}"
    )


class World:
    """Servers that answer what `pages` holds, and clocks that `look` moves on."""

    def __init__(self, nvml: Any = "no figures: none here") -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        self.now = 0.0
        self.watcher = Watcher(
            URL, PROXY_URL, self.fetch, nvml, "./serve_vllm.sh",
            clock=lambda: self.now, wall=lambda: START + timedelta(seconds=self.now),
        )  # fmt: skip

    def fetch(self, url: str, seconds: float) -> str | None:
        self.asked.append(url)
        return self.pages.get(url)

    def look(self, metrics: str | None, after: float = 0.0) -> Report:
        self.now += after
        self.pages.pop(f"{URL}/metrics", None)
        if metrics is not None:
            self.pages[f"{URL}/metrics"] = metrics
        return self.watcher.look()


# --- arguments -----------------------------------------------------------------------------------


def test_arguments() -> None:
    options = monitor.arguments([])
    assert (options.port, options.interval, options.once, options.json) == (8000, 1.0, False, False)
    options = monitor.arguments(["8123", "--interval", "0.2", "--once", "--json"])
    assert (options.port, options.interval, options.once, options.json) == (8123, 0.2, True, True)


def test_the_port_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_PORT", "8100")
    assert monitor.arguments([]).port == 8100
    assert monitor.start_command(8100) == "./serve_vllm.sh"
    assert monitor.start_command(8000) == "VLLM_PORT=8000 ./serve_vllm.sh"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["x"], "PORT 'x' is not between 1 and 65535."),
        (["0"], "PORT '0' is not between 1 and 65535."),
        (["65536"], "PORT '65536' is not between 1 and 65535."),
        (["٣"], "PORT '٣' is not between 1 and 65535."),
        (["--interval", "0.1"], "--interval is not a number between 0.2 and 3600."),
        (["--interval", "3601"], "--interval is not a number between 0.2 and 3600."),
        (["--interval", "nan"], "--interval is not a number between 0.2 and 3600."),
        (["--interval", "soon"], "--interval is not a number between 0.2 and 3600."),
        (["--interval"], "Argument --interval: expected one argument."),
        (["--often"], "Unrecognized arguments: --often."),
    ],
)
def test_wrong_arguments(words: list[str], problem: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        monitor.arguments(words)
    assert caught.value.problem == problem
    assert caught.value.fix == "See: ./monitor_vllm.sh --help"
    assert caught.value.status == 2


def test_addresses() -> None:
    assert monitor.address("", 8000) == URL
    assert monitor.address("0.0.0.0", 8000) == URL
    assert monitor.address("127.0.0.2", 1) == "http://127.0.0.2:1"
    assert monitor.address("::1", 1) == "http://[::1]:1"


def test_ticks_do_not_drift_and_do_not_catch_up() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    ticks = monitor.ticks(1.0, lambda: now[0], sleep)
    next(ticks)
    now[0] += 0.3  # a look takes its time
    next(ticks)
    now[0] += 50  # the machine sleeps
    next(ticks)
    next(ticks)
    assert slept == [1.0, 0.7, 0.0, 1.0]


# --- looks ---------------------------------------------------------------------------------------


def test_rates_and_deltas_between_two_looks() -> None:
    world = World()
    first = world.look(page(100, stop=2)).as_json()
    assert first["up"] is True
    assert first["totals"]["generation_tokens"] == 100
    assert first["deltas"]["generation_tokens"] is None
    assert first["rates"]["generation_tokens_per_s"] is None
    second = world.look(page(130, stop=2, length=1), after=2).as_json()
    assert second["interval_s"] == 2
    assert second["deltas"]["generation_tokens"] == 30
    assert second["deltas"]["finished"] == {"stop": 0, "length": 1}
    assert second["rates"] == {
        "prompt_tokens_per_s": None, "generation_tokens_per_s": 15.0, "requests_per_s": 0.5,
    }  # fmt: skip
    assert (second["model"], second["uptime_s"], second["restarts"]) == ("small", 122, 0)


def test_an_outage_and_a_restart_give_no_negative_rate() -> None:
    world = World()
    world.look(page(1000, stop=10))
    world.look(page(1100, stop=11), after=1)
    down = world.look(None, after=1)
    assert down.problem == f"No vLLM answers at {URL}."
    assert down.fix == "Start it with: ./serve_vllm.sh"
    later = world.look(None, after=1).as_json()
    assert later["up"] is False
    assert datetime.fromisoformat(later["down_since"]) == down.time
    assert later["totals"] == {
        "prompt_tokens": None, "generation_tokens": None, "prefix_cache_queries": None,
        "prefix_cache_hits": None, "preemptions": None, "finished": {},
    }  # fmt: skip
    assert later["interval_s"] is None
    back = world.look(page(40, started=START.timestamp() + 3), after=5).as_json()
    assert (back["up"], back["down_since"], back["restarts"]) == (True, None, 1)
    assert back["deltas"]["generation_tokens"] == 40
    assert back["rates"]["generation_tokens_per_s"] == 40 / 5  # 5 s after its start
    assert back["uptime_s"] == 5
    assert back["window_s"] == 6  # the second before the outage, and the new server's


def test_an_outage_without_restart_loses_nothing() -> None:
    world = World()
    world.look(page(100))
    world.look(None, after=1)
    back = world.look(page(200), after=3).as_json()
    assert (back["restarts"], back["interval_s"]) == (0, 4)
    assert back["rates"]["generation_tokens_per_s"] == 25


def test_a_server_that_is_not_there_yet() -> None:
    world = World()
    assert world.look(None).as_json()["up"] is False
    assert world.look(page(7), after=1).as_json()["deltas"]["generation_tokens"] is None
    assert world.look(page(9), after=1).as_json()["deltas"]["generation_tokens"] == 2


def test_another_server_on_the_port() -> None:
    report = World().look("up 1\n")
    assert report.problem == f"What answers at {URL}/metrics has no figures of vLLM."
    assert report.fix == "Give the port of a vLLM that runs without --disable-log-stats."


def test_the_version_is_asked_once_per_start_of_the_server() -> None:
    world = World()
    world.pages[f"{URL}/version"] = '{"version": "0.32.0"}'
    assert world.look(page(1)).version == "0.32.0"
    world.look(page(2), after=1)
    assert world.asked.count(f"{URL}/version") == 1
    world.pages[f"{URL}/version"] = '{"version": "0.33.0"}'
    assert world.look(page(1), after=1).version == "0.33.0"
    world.pages[f"{URL}/version"] = "[]"
    assert world.look(page(0), after=1).version is None


def test_the_proxy_is_asked_every_five_seconds() -> None:
    world = World()
    assert world.look(None).proxy == Proxy(PROXY_URL)
    world.pages[f"{PROXY_URL}/health"] = HEALTH
    assert world.look(None, after=1).proxy.up is False
    assert world.look(None, after=4).proxy == Proxy(
        PROXY_URL, True, "ok", "scifi_world", 455, "ok", None
    )
    assert world.asked.count(f"{PROXY_URL}/health") == 2
    assert world.asked.count(f"{PROXY_URL}/metrics") == 1


def test_what_a_proxy_may_say() -> None:
    text = 'rag_requests_total{s="ok"} 2\nrag_requests_total{s="empty"} 1\n'
    text += 'rag_seconds_bucket{le="+Inf"} 3\nrag_x_created 1e9\npython_info 1\nrag_nan NaN\n'
    assert own_figures(text) == {"rag_requests_total": 3}
    assert proxy_of("u", {}, None) == Proxy("u")
    odd = {"status": 1, "chunks": "many", "upstream": "down", "collection": None}
    assert proxy_of("u", odd, "") == Proxy("u", True, None, None, None, "down", {})


@pytest.mark.parametrize("text", ["[1]", "<html>", "null", ""])
def test_a_stranger_on_the_proxys_port_is_no_proxy(text: str) -> None:
    world = World()
    world.pages[f"{PROXY_URL}/health"] = text
    assert world.look(None).proxy.up is False


def test_once_needs_a_server_at_both_looks() -> None:
    options = monitor.arguments(["--once", "--interval", "0.2"])
    world = World()
    with pytest.raises(ToolkitError) as caught:
        next(monitor.reports(world.watcher, options))
    assert str(caught.value) == f"No vLLM answers at {URL}. Start it with: ./serve_vllm.sh"
    world.pages[f"{URL}/metrics"] = page(1)
    assert len(list(monitor.reports(world.watcher, options))) == 1


def test_without_once_an_absent_server_is_reported() -> None:
    options = monitor.arguments(["--interval", "0.2"])
    (report,) = islice(monitor.reports(World().watcher, options), 1)
    assert report.problem == f"No vLLM answers at {URL}."


def test_json_is_one_object_a_line_with_the_documented_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.pages = {f"{URL}/metrics": CURRENT, f"{PROXY_URL}/health": HEALTH}
    monitor.run(world.watcher, monitor.arguments(["--once", "--json", "--interval", "0.2"]))
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    found = json.loads(out)
    assert found["totals"] == {
        "prompt_tokens": 3121,
        "generation_tokens": 2387,
        "prefix_cache_queries": 3121,
        "prefix_cache_hits": 384,
        "preemptions": 0,
        "finished": {"stop": 14, "length": 42, "abort": 0, "error": 0, "repetition": 0},
    }
    assert set(found["deltas"]["finished"].values()) == {0}
    assert found["window"]["ttft_s"] == {"p50": None, "p99": None, "count": 0}
    assert found["since_start"]["ttft_s"]["count"] == 56
    assert found["since_start"]["prefix_cache_hit_rate"] == round(384 / 3121, 6)
    assert (found["gpus"], found["gpu_problem"]) == ([], "no figures: none here")
    documented = monitor.__doc__ or ""
    for key in (*found, *found["rates"], *found["gauges"], *found["window"], *found["proxy"]):
        assert key in documented


# --- the last minute -----------------------------------------------------------------------------


def tokens(number: float) -> dict[tuple[str, str], float]:
    return {("generation_tokens", ""): number}


def test_the_window_is_a_minute_and_never_empty() -> None:
    history = History()
    assert (history.last, history.seconds(), history.counts()) == (None, 0, {})
    for second in range(1, 101):
        history.add(Interval(float(second), 1.0, tokens(2)))
    assert history.seconds() == WINDOW_S
    assert history.counts() == tokens(120)
    history.add(Interval(4000.0, 3600.0, tokens(7200)))
    assert history.counts() == tokens(7200)
    assert history.rates("generation_tokens", 4000.0, 3) == [2.0, 2.0, 2.0]


def test_rates_by_slices_of_time() -> None:
    history = History()
    history.add(Interval(80.0, 10.0, tokens(100)))  # 10 a second from 70 to 80
    history.add(Interval(110.0, 20.0, tokens(400)))  # 20 a second from 90 to 110
    assert history.rates("generation_tokens", 100.0, 6) == [None, None, None, 10.0, None, 20.0]
    assert history.rates("generation_tokens", 110.0, 3) == [None, 10.0, 20.0]


@given(st.lists(st.tuples(st.floats(0.2, 30), st.integers(0, 500)), min_size=1, max_size=20),
       st.integers(1, 60))  # fmt: skip
def test_slices_lie_between_the_rates_of_their_intervals(
    steps: list[tuple[float, int]], cells: int
) -> None:
    history, now = History(), 0.0
    for seconds, number in steps:
        now += seconds
        history.add(Interval(now, seconds, tokens(number)))
    slices = history.rates("generation_tokens", now, cells)
    assert len(slices) == cells
    top = max(number / seconds for seconds, number in steps)
    assert all(value is None or -1e-9 <= value <= top * (1 + 1e-9) for value in slices)


def test_sparklines() -> None:
    assert sparkline([], 1.0) == ""
    assert sparkline([0.0, 0.0], 0.0) == "▁▁"
    assert sparkline([None, 0.0, 0.1, 50.0, 100.0], 100.0) == " ▁▂▅█"


def test_the_peak_is_that_of_an_interval() -> None:
    history = History()
    assert history.peak("generation_tokens") == 0
    history.add(Interval(1.0, 1.0, tokens(30)))
    history.add(Interval(3.0, 2.0, tokens(10)))
    assert history.peak("generation_tokens") == 30
    assert history.rates("generation_tokens", 3.0, 3) == [None, None, 40 / 3]


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=80))
def test_a_sparkline_has_one_bar_a_value_and_the_highest_is_full(
    values: list[float | None],
) -> None:
    top = max((value for value in values if value is not None), default=0.0)
    line = sparkline(values, top)
    assert len(line) == len(values)
    for value, character in zip(values, line, strict=True):
        assert (character == " ") == (value is None)
        assert (character == BARS[0]) == (value == 0)
        assert value != top or character == BARS[-1 if top else 0]


# --- for people ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0123, "12.3 ms"), (0.1234, "123 ms"), (1.234, "1.23 s"), (12.34, "12.3 s"),
     (640.0, "640 s")],
)  # fmt: skip
def test_latencies(value: float | None, text: str) -> None:
    assert monitor_text.seconds(value) == text


def test_other_units() -> None:
    assert [monitor_text.uptime(s) for s in (5, 65, 3720, 90061)] == [
        "5 s", "1 min", "1 h 2 min", "1 d 1 h",
    ]  # fmt: skip
    assert [monitor_text.share(s) for s in (None, 0, 0.0001, 0.5)] == [
        "-", "0.0 %", "<0.1 %", "50.0 %",
    ]  # fmt: skip
    assert monitor_text.bar(0.25, 8) == "██░░░░░░"
    assert monitor_text.bar(1.7, 4) == "████"
    gib = 1024**3
    assert monitor_text.gpu_text(Gpu(0, "x", 24 * gib, 32 * gib, 0.87, 61)) == (
        "24.0 of 32.0 GiB, busy 87 %, 61 °C"
    )
    assert monitor_text.gpu_text(Gpu(0, "x", None, None, None, None)) == "no figures"


def test_the_proxy_line() -> None:
    assert monitor_text.proxy_text(Proxy(PROXY_URL)) == (
        "not running on 127.0.0.1:8001. Start it with: ./serve_rag_proxy.sh"
    )
    told = Proxy(PROXY_URL, True, "ok", "scifi_world", 1455, "down", {"rag_requests_total": 3.0})
    assert monitor_text.proxy_text(told) == (
        "ok, scifi_world (1,455 chunks), upstream down, rag_requests_total 3"
    )


def test_plain_lines() -> None:
    world = World()
    world.look(page(100, stop=2))
    assert monitor_text.line(world.look(page(130, stop=3, length=1), after=2)) == (
        f"{START + timedelta(seconds=2):%H:%M:%S} running 1 waiting 0 | prompt ... | "
        "generation 15.0 tok/s | TTFT p50/p99 - | inter-token p50/p99 - | KV - | prefix hits - | "
        "finished 1 stop 1 length | proxy down"
    )
    down = f"{START + timedelta(seconds=3):%H:%M:%S}"
    assert monitor_text.line(world.look(None, after=1)) == (
        f"{down} down since {down}: No vLLM answers at {URL}. Start it with: ./serve_vllm.sh"
    )


def rendered(screen: monitor_view.Screen, width: int) -> list[str]:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    console.print(screen)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.fixture
def busy() -> tuple[World, Report]:
    """A server with the figures of the real one and a minute of history."""
    world = World()
    world.pages[f"{PROXY_URL}/health"] = HEALTH
    world.pages[f"{URL}/version"] = '{"version": "0.32.0"}'
    world.look(CURRENT)
    report = world.look(CURRENT, after=1)
    for second in range(60):
        report = world.look(CURRENT.replace(" 2387.0", f" {2400 + second * 20}.0"), after=1)
    return world, report


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_view_fits(busy: tuple[World, Report], width: int) -> None:
    world, report = busy
    lines = rendered(monitor_view.Screen(report, world.watcher.history, "Ctrl+C ends."), width)
    assert all(len(line.rstrip()) <= width for line in lines)
    if width >= 60:
        assert len(lines) <= 24
        text = "\n".join(line.rstrip() for line in lines)
        assert lines[0].rstrip() == "SmolLM2-135M-Instruct"
        assert lines[1].rstrip() == f"vLLM 0.32.0 at {URL}, up 3 min"
        assert "Generation            20.0 tok/s  " in text
        assert "█  max 20" in text
        assert re.search(r"First token +- +184 ms / 680 ms\n", text)
        assert re.search(r"Generated tokens +1,193 +3,580\n", text)
        assert re.search(r"Finished: length +0 +42\n", text)
        assert "RAG proxy         ok, scifi_world (455 chunks), upstream ok" in text


def test_the_view_of_an_outage_says_since_when_and_what_to_type(
    busy: tuple[World, Report],
) -> None:
    world, _ = busy
    down = world.look(None, after=1)
    lines = rendered(monitor_view.Screen(down, world.watcher.history), 100)
    text = "\n".join(line.rstrip() for line in lines)
    assert f"No vLLM answers at {URL}. Down since {down.time:%H:%M:%S}." in text
    assert "Start it with: ./serve_vllm.sh" in text
    assert "RAG proxy" in text


def test_the_name_of_a_model_is_not_taken_for_markup() -> None:
    report = World().look(page(1).replace("small", "[red]my[/red] model"))
    assert rendered(monitor_view.Screen(report), 80)[0].rstrip() == "[red]my[/red] model"


def test_nothing_counted_is_not_infinite() -> None:
    report = World().look(page(0)).as_json()
    numbers = [value for value in report["rates"].values() if value is not None]
    assert all(math.isfinite(value) for value in numbers)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_live_view_gives_the_terminal_back(number: int, status: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    master, slave = pty.openpty()
    words = [sys.executable, "-m", "scifi_llm.serving.monitor.main", free, "--interval", "0.2"]
    env = {**os.environ, "PYTHONPATH": str(REPO / "src"), "TERM": "xterm", "RAG_PORT": free}
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        shown = b""
        while b"Ctrl+C ends." not in shown:
            shown += os.read(master, 65536)
        process.send_signal(number)
        try:
            while data := os.read(master, 65536):
                shown += data
        except OSError:  # Linux' way of saying that the other side is closed
            pass
    os.close(master)
    assert process.returncode == status
    assert b"./serve_vllm.sh" in shown
    assert b"Traceback" not in shown
    # The screen of its own, and the hidden cursor, are both taken back.
    assert shown.rindex(b"\x1b[?1049l") > shown.rindex(b"\x1b[?1049h")
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
