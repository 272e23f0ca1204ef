"""Ten thousand clients at once: as many streams as there is room for, and a polite no for all others.

`make bench-gateway-streams` (CLIENTS=10000) opens that many real connections to a real gateway, each of which asks for
a stream that lasts. It fails unless every stream that was let in is whole, every other client was told in the API's own
words to come back, other calls were answered meanwhile, and there is room again afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks.gateway.gateway_load import quantile
from benchmarks.gateway.gateway_processes import Process, cores, gateway, request_bytes, streaming, upstream

PATH = "/v1/chat/completions"
CONNECTING = 200
"""Connections that are being opened at once."""
SECONDS = 120.0
PACE = "pace-20000-500-8"
"""The upstream's streams begin when all clients are there."""


@dataclass
class Seen:
    """How calls ended, and the seconds until a client was refused, or that it lives."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refused: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    mib: float = 0.0


def outcome_of(answer: bytes) -> str:
    """In a word; `other` is what should not be."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lowered = head.lower()
    if head.startswith(b"HTTP/1.1 200") and b"data: [DONE]" in body:
        return "streamed"
    if head.startswith(b"HTTP/1.1 429") and b"retry-after: 1" in lowered and b'"too_many_open_calls"' in body:
        return "refused"
    return f"other: {answer[:80]!r}"


async def _ask(port: int, request: bytes, seen: Seen, gate: asyncio.Semaphore) -> None:
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    try:
        writer.write(request)
        answer = await reader.read()
        outcome = outcome_of(answer)
    except OSError as error:
        outcome = f"other: {error!r}"
    finally:
        writer.close()
    seen.outcomes[outcome] += 1
    if outcome == "refused":
        seen.refused.append(time.perf_counter() - began)


async def _others(port: int, seen: Seen, process: Process, over: asyncio.Event) -> None:
    """Other calls, and the memory, as long as the streams last."""
    line = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    while not over.is_set():
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line)
        answer = await reader.read()
        writer.close()
        if not answer.startswith(b"HTTP/1.1 200"):
            seen.outcomes[f"other: health {answer[:40]!r}"] += 1
        seen.health.append(time.perf_counter() - began)
        seen.mib = max(seen.mib, process.resident_mib())
        await asyncio.sleep(0.5)


async def run(clients: int) -> tuple[Seen, Seen]:
    """All at once, and as many as there is room for once more."""
    first, again = Seen(), Seen()
    with (
        upstream() as port,
        tempfile.TemporaryDirectory(prefix="bench-gateway-streams-") as folder,
        gateway(Path(folder), port) as process,
    ):
        target, headers = process.target.port, {"authorization": process.authorization, "connection": "close"}
        over, gate = asyncio.Event(), asyncio.Semaphore(CONNECTING)
        request = request_bytes(target, PATH, headers, streaming(PACE))
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            watcher = group.create_task(_others(target, first, process, over))
            await asyncio.gather(*(_ask(target, request, first, gate) for _ in range(clients)))
            over.set()
            await watcher
        request = request_bytes(target, PATH, headers, streaming("pace-20-10-8"))
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(_ask(target, request, again, gate) for _ in range(500)))
    return first, again


def main() -> int:
    """Measure, print, and say by the exit status whether all were treated politely."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=int(os.environ.get("CLIENTS", "10000")))
    options.add_argument("--json", type=Path, help="where to write the figures")
    chosen = options.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, cores()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen, again = runner.run(run(chosen.clients))
    told = {
        "clients": chosen.clients,
        **seen.outcomes,
        "refused after, p50 and p99 ms": [round(1000 * quantile(seen.refused, part)) for part in (0.5, 0.99)],
        "health meanwhile, p50 and max ms": [round(1000 * quantile(seen.health, part)) for part in (0.5, 1.0)],
        "MiB at most": round(seen.mib),
        "500 streams afterwards": dict(again.outcomes),
    }
    print("\n".join(f"{name}: {value}" for name, value in told.items()))
    if chosen.json:
        chosen.json.write_text(json.dumps(told, indent=2))
    polite = seen.outcomes["streamed"] + seen.outcomes["refused"] == chosen.clients and again.outcomes == {
        "streamed": 500
    }
    return 0 if polite and seen.outcomes["streamed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
