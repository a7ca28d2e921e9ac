"""Many streams at once while clients leave, the upstream is killed and the index is swapped."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...console import log_ok, log_test
from ...errors import ToolkitError
from ...paths import REPO
from .judge import SPARE_FILES, Tally, judge, leaks
from .processes import free_port, metric, proxy_command, server, upstream_command
from .record import about, chosen, keep, parser
from .upstream import CHUNKS

QUESTIONS = ("Who repairs the sounders?", "What is known of the ford?", "Describe the station.")
QUIET_SECONDS = 30.0


async def one(port: int, word: str, chance: random.Random, gap: float, tally: Tally) -> None:
    """Ask once; leave early in one case of four, have the answer torn in one of ten."""
    stream = chance.random() < 0.8
    leaves = chance.random() < 0.25
    text = f"{chance.choice(QUESTIONS)} gap:{gap} {word}"
    if chance.random() < 0.1:
        text = f"tear:{chance.randrange(CHUNKS)} {text}"
    body: dict[str, Any] = {"model": "mock", "stream": stream,
                            "messages": [{"role": "user", "content": text}]}  # fmt: skip
    if chance.random() < 0.5:
        body["rag"] = {"enabled": False}
    raw = json.dumps(body).encode()
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
            f"content-length: {len(raw)}\r\n\r\n")  # fmt: skip
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        tally.add("refused", f"{word}: {error}")
        return
    try:
        writer.write(head.encode() + raw)
        if leaves:
            with suppress(TimeoutError):
                async with asyncio.timeout(chance.random() * gap * CHUNKS):
                    await reader.read()
            tally.add("left")
            return
        async with asyncio.timeout(60):
            answer = await reader.read()
        tally.add(*judge(answer, word, stream))
    except TimeoutError:
        tally.add("hung", f"{word}: nothing for 60 s")
    except OSError as error:
        tally.add("reset", f"{word}: {error}")
    finally:
        writer.close()


async def client(port: int, number: int, until: float, gap: float, seed: int, tally: Tally) -> None:
    """Ask again and again."""
    chance, turn = random.Random(f"{seed}/{number}"), 0
    while time.monotonic() < until:
        await one(port, f"c{number}x{turn}", chance, gap, tally)
        turn += 1


async def killer(port: int, until: float, every: float, log: Path, made: list[Any]) -> None:
    """Kill the upstream every now and then and start it again."""
    while time.monotonic() < until:
        await asyncio.sleep(every)
        made[-1].kill()
        made[-1].wait()
        await asyncio.sleep(min(1.0, every / 4))
        made.append(start_upstream(port, log))


def start_upstream(port: int, log: Path) -> subprocess.Popen[bytes]:
    """The mock upstream, without waiting for it."""
    with log.open("ab") as out:
        return subprocess.Popen(
            upstream_command(port), stdout=out, stderr=out,
            env={**os.environ, "PYTHONPATH": str(REPO / "src")},
        )  # fmt: skip


async def swapper(collection: str, until: float, done: list[float]) -> None:
    """Build the collection anew, again and again, as an author does while the proxy runs."""
    script = str(REPO / "RAG" / "setup" / "2_embed_and_store.py")
    command = ["nice", sys.executable, script, "--collection", collection, "--rebuild"]
    while time.monotonic() < until:
        made = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            if await made.wait() == 0:
                done.append(time.monotonic())
        finally:
            if made.returncode is None:
                made.kill()
        await asyncio.sleep(2)


def state(url: str) -> dict[str, float]:
    """What a leak would show in."""
    names = {
        "active_requests": "rag_proxy_active_requests",
        "active_streams": "rag_proxy_active_streams",
        "open_files": "process_open_fds",
        "memory_mb": "process_resident_memory_bytes",
    }
    found = {name: metric(url, line) for name, line in names.items()}
    found["memory_mb"] = round(found["memory_mb"] / 1e6, 1)
    return found


def quiet(url: str, before: dict[str, float]) -> dict[str, float]:
    """The state when all has ended, or QUIET_SECONDS later."""
    until = time.monotonic() + QUIET_SECONDS
    while True:
        now = state(url)
        settled = now["active_requests"] <= 1 and now["active_streams"] == 0
        if settled and now["open_files"] <= before["open_files"] + SPARE_FILES:
            return now
        if time.monotonic() > until:
            return now
        time.sleep(0.5)


async def storm(
    port: int, upstream: int, streams: int, seconds: float, swap: str, seed: int, log: Path
) -> tuple[Tally, int, int]:
    """(tally, kills of the upstream, swaps of the index)."""
    tally, until, swaps = Tally(), time.monotonic() + seconds, list[float]()
    made = [start_upstream(upstream, log)]
    gap = 0.15 if streams > 60 else 0.03
    others = [asyncio.create_task(killer(upstream, until, max(4.0, seconds / 8), log, made))]
    if swap:
        others.append(asyncio.create_task(swapper(swap, until, swaps)))
    try:
        await asyncio.gather(*(client(port, n, until, gap, seed, tally) for n in range(streams)))
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        made[-1].kill()
        for process in made:
            process.wait()
    return tally, len(made) - 1, len(swaps)


def run(collection: str, streams: int, seconds: float, seed: int, swap: bool) -> dict[str, Any]:
    """The whole soak against a proxy of its own.

    A first period of the same load makes all that is made once: what the second adds is a leak.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, front, back = Path(scratch), free_port(), free_port()
        url, log = f"http://127.0.0.1:{front}", folder / "proxy.log"
        command = proxy_command(collection, front, back)
        with server("The proxy", command, f"{url}/health", log, 0, {}):
            swapped = collection if swap else ""
            log_test(f"{streams} streams for {seconds:g} s, to fill caches and pools")
            asyncio.run(storm(front, back, streams, seconds, swapped, seed + 1, log))
            before = quiet(url, {"open_files": 1e9})
            log_test(f"The same for {seconds:g} s more")
            tally, kills, swaps = asyncio.run(
                storm(front, back, streams, seconds, swapped, seed, log)
            )
            after = quiet(url, before)
            trace = "Traceback" in log.read_text(encoding="utf-8", errors="replace")
    problems = [*tally.wrong, *leaks(before, after)]
    return {
        **about(),
        "streams": streams,
        "seconds": seconds,
        "seed": seed,
        "answers": dict(sorted(tally.ended.items())),
        "upstream_kills": kills,
        "index_swaps": swaps,
        "before": before,
        "after": after,
        "problems": [*problems, *(["a traceback in the proxy's log"] if trace else [])],
    }


def main() -> int:
    """Entry of RAG/benchmarks/soak_proxy.py."""
    made = parser("soak_proxy.py", "Try the proxy with everything going wrong.", "proxy_soak.json")
    made.add_argument("--streams", type=int, default=200, metavar="N", help="at once (200)")
    made.add_argument("--seconds", type=float, default=60.0, metavar="N", help="(60)")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="who leaves when (1)")
    made.add_argument("--no-swap", action="store_true", help="leave the index as it is")
    options = made.parse_args()
    if not 1 <= options.streams <= 1000 or not 1 <= options.seconds <= 3600:
        raise ToolkitError("--streams must be from 1 to 1000, --seconds from 1 to 3600.")
    collection = chosen(options.collection)
    result = run(collection, options.streams, options.seconds, options.seed, not options.no_swap)
    keep(result, options.out)
    print(json.dumps({key: result[key] for key in ("answers", "upstream_kills", "index_swaps",
                                                    "before", "after")}))  # fmt: skip
    if result["problems"]:
        raise ToolkitError(f"{len(result['problems'])} problems: {result['problems'][0]}",
                           f"Read: {options.out}")  # fmt: skip
    log_ok(f"No wrong answer, no leak. Written: {options.out}")
    return 0
