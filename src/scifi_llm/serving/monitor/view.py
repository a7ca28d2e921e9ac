"""What the monitor shows on a terminal: the live view, the table of --once.

The only module that imports rich. Built for 60 columns and 24 lines; more columns give longer
sparklines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..metrics import Counts, labelled
from .history import WINDOW_S, History, sparkline
from .report import Report, summary
from .text import NOTHING, bar, both, gpu_text, per_second, proxy_text, share, uptime

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

LABEL_WIDTH = 16
MOST_CELLS = 60  # one a second
LEAST_CELLS = 5


@dataclass(frozen=True)
class Screen:
    """A look, laid out for whatever width there is. Without `history` there are no sparklines."""

    report: Report
    history: History | None = None
    footer: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The parts from top to bottom."""
        from rich.text import Text

        report, width = self.report, options.max_width
        yield Text((report.now.model if report.now else "") or "vLLM", style="bold")
        yield Text(server_line(report), style="dim")
        yield Text()
        if report.problem:
            yield Text(f"{report.problem} Down since {report.down_since:%H:%M:%S}.", "bold red")
            yield Text(report.fix)
            yield Text()
        else:
            yield self._moment(width)
            yield Text()
            yield compared(report)
            yield Text()
        yield machine(report)
        if self.footer:
            yield Text(self.footer, style="dim")

    def _moment(self, width: int) -> Table:
        report, grid = self.report, pairs()
        running, waiting = report.gauge("running") or 0, report.gauge("waiting") or 0
        grid.add_row("Requests", f"{running:.0f} running, {waiting:.0f} waiting")
        for label, key in (("Generation", "generation_tokens"), ("Prompt", "prompt_tokens")):
            rate = f"{per_second(report.per_second(key)):>14}"
            grid.add_row(label, f"{rate}  {self._bars(key, width - LABEL_WIDTH - len(rate) - 4)}")
        use = report.gauge("kv_cache_use")
        if use is not None:
            capacity = report.now.kv_cache_tokens if report.now else None
            text = share(use) + (f" of {capacity:,} tokens" if capacity else "")
            cells = min(20, width - LABEL_WIDTH - len(text) - 6)
            grid.add_row("KV cache", f"{text}  {bar(use, cells)}" if cells >= LEAST_CELLS else text)
        return grid

    def _bars(self, key: str, room: int) -> str:
        """The last minute's rates, and what the highest bar stands for."""
        if not self.history or not self.history.last:
            return ""
        cells = min(MOST_CELLS, room - len("  max 99,999"))
        if cells < LEAST_CELLS:
            return ""
        # The highest interval, not the highest slice: slices of a narrow terminal are averages.
        top = self.history.peak(key)
        rates = self.history.rates(key, self.history.last.end, cells)
        return f"{sparkline(rates, top)}  max {top:,.0f}"


def pairs() -> Table:
    """A table of labels and values without lines."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=LABEL_WIDTH, style="dim")
    grid.add_column(overflow="fold")
    return grid


def server_line(report: Report) -> str:
    """Version, address, how long it runs."""
    parts = [f"vLLM {report.version or ''}".strip() + f" at {report.url}"]
    if report.uptime_s is not None:
        parts.append(f"up {uptime(report.uptime_s)}")
    if report.restarts:
        parts.append(f"{report.restarts} restart" + "s" * (report.restarts > 1))
    return ", ".join(parts)


def compared(report: Report) -> Table:
    """The last minute beside all since the server's start."""
    from rich import box
    from rich.table import Table

    covered = f"last {min(report.window_s, WINDOW_S) if report.window_s else 0:.0f} s"
    if report.window_s > WINDOW_S * 1.5:
        covered = f"last {uptime(report.window_s)}"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("p50 / p99, counts", style="dim")
    table.add_column(covered, justify="right")
    table.add_column("since its start", justify="right")
    parts = (report.window, report.totals)
    window, start = (summary(part) for part in parts)
    for label, key in (("First token", "ttft_s"), ("Between tokens", "inter_token_s")):
        table.add_row(label, both(window[key]), both(start[key]))
    hits = "prefix_cache_hit_rate"
    table.add_row("Prefix cache hits", share(window[hits]), share(start[hits]))
    rows = (
        ("Prompt tokens", "prompt_tokens"),
        ("Generated tokens", "generation_tokens"),
        ("Preemptions", "preemptions"),
    )
    for label, key in rows:
        table.add_row(label, *(count(part, key) for part in parts))
    for reason, number in labelled(report.totals, "finished").items():
        if number or reason in ("stop", "length"):
            in_window = report.window.get(("finished", reason), 0.0)
            table.add_row(f"Finished: {reason}", f"{in_window:,.0f}", f"{number:,.0f}")
    return table


def count(counts: Counts, key: str) -> str:
    """A count, or that there is none."""
    return f"{counts[key, '']:,.0f}" if (key, "") in counts else NOTHING


def machine(report: Report) -> Table:
    """The GPUs and the proxy."""
    grid = pairs()
    for gpu in report.gpus:
        grid.add_row(f"GPU {gpu.index}", f"{gpu.name}: {gpu_text(gpu)}")
    if report.gpu_problem:
        grid.add_row("GPU", report.gpu_problem)
    grid.add_row("RAG proxy", proxy_text(report.proxy))
    return grid


def _console() -> Console:
    from rich.console import Console

    # A model's name may hold brackets.
    return Console(markup=False, highlight=False, emoji=False)


def print_table(report: Report) -> None:
    """The table of --once."""
    _console().print(Screen(report))


@contextmanager
def live(interval: float) -> Iterator[Callable[[Report, History], None]]:
    """The live view on a screen of its own; the terminal is as before when it ends."""
    from rich.live import Live
    from rich.text import Text

    footer = f"Every {interval:g} s; sparklines: last minute. Ctrl+C ends."
    with Live(Text("Asking vLLM ..."), console=_console(), screen=True, auto_refresh=False) as view:

        def show(report: Report, history: History) -> None:
            view.update(Screen(report, history, footer), refresh=True)

        yield show
