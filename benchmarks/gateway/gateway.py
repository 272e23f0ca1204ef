"""What the gateway costs: its own processor time, added latency, first streamed chunk, and requests a second.

`make bench-gateway` compares, in one run on one machine against one fake upstream: the gateway with keys, limits, cost
and metrics on; `@portkey-ai/gateway` (if npm can install it); a proxy of FastAPI and httpx. Each has one core to itself
(`taskset`); the upstream and the callers have the other. LiteLLM is not among them: compromised releases of it
were published, so that nothing here installs it.

Rounds of direct and through take turns, so that what else the machine does meets both. The table has medians of rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from benchmarks.gateway.gateway_load import Measured, Target, median, pace, quantile, saturate
from benchmarks.gateway.gateway_processes import Process, cores, fastapi_proxy, gateway, portkey, targets, upstream


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int
    requests: int
    streams: int


@dataclass(frozen=True)
class Row:
    """One row of the table; milliseconds unless named otherwise."""

    name: str
    cpu: float
    requests_a_second: float
    added_p50: float
    added_p99: float
    first_p50: float
    first_p99: float
    streams_lost_percent: float
    resident_mib: float
    failed: int


async def measure(process: Process, direct: tuple[Target, Target], sizes: Sizes) -> Row:
    """All figures of one process."""
    target, plain = process.target, direct[0]
    await saturate(target.port, target.whole, 16, max(200, sizes.requests // 5))  # warm
    busy, cpu, failed = [], [], 0
    for _ in range(sizes.rounds):
        before = process.cpu_seconds()
        done = await saturate(target.port, target.whole, 16, sizes.requests)
        cpu.append((process.cpu_seconds() - before) * 1e3 / max(1, len(done.last)))
        busy.append(done.rate)
        failed += done.failed
    rate = median(busy) / 2
    whole, first, slow = [], [], []
    for _ in range(sizes.rounds):
        whole.append([await pace(one.port, one.whole, rate, sizes.requests // 2) for one in (plain, target)])
        first.append([await saturate(one.port, one.stream, 16, sizes.streams) for one in (plain, target)])
        slow.append([await saturate(one.port, one.stream, 64, sizes.streams) for one in (direct[1], process.streams)])
    failed += sum(through.failed for _, through in (*whole, *first, *slow))
    return Row(
        name=process.name,
        cpu=median(cpu),
        requests_a_second=median(busy),
        added_p50=_added(whole, "last", 0.5),
        added_p99=_added(whole, "last", 0.99),
        first_p50=_added(first, "first", 0.5),
        first_p99=_added(first, "first", 0.99),
        streams_lost_percent=median([100 * (1 - through.rate / alone.rate) for alone, through in slow]),
        resident_mib=process.resident_mib(),
        failed=failed,
    )


def _added(rounds: list[list[Measured]], what: str, part: float) -> float:
    values = [[getattr(measured, what) for measured in both] for both in rounds]
    return median([quantile(through, part) - quantile(alone, part) for alone, through in values])


async def run(sizes: Sizes, only: str | None) -> tuple[list[Row], list[str]]:
    """The rows, and why a row is missing."""
    rows, missing = [], []
    with upstream() as upstream_port, tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        direct = targets(upstream_port)
        with gateway(Path(folder), upstream_port) as process:
            rows.append(await measure(process, direct, sizes))
        if only == "gateway":
            return rows, missing
        with portkey(upstream_port) as peer:
            if isinstance(peer, str):
                missing.append(f"Portkey: {peer}")
            else:
                rows.append(await measure(peer, direct, sizes))
        with fastapi_proxy(upstream_port) as process:
            rows.append(await measure(process, direct, sizes))
    return rows, missing


def _of_streams(row: Row) -> tuple[str, str]:
    if math.isnan(row.first_p50):
        return "its streams fail", "its streams fail"  # Portkey 1.15.2 on Node 20 answers them with 500
    return f"+{row.first_p50:.2f}, +{row.first_p99:.2f}", f"{row.streams_lost_percent:.1f} %"


def table(rows: list[Row], missing: list[str]) -> str:
    """The rows for people."""
    titles = (
        "what",
        "CPU ms/request",
        "requests/s, one core",
        "added p50, p99 ms at half of that",
        "first chunk p50, p99 ms at 16 streams",
        "requests/s lost at 64 streams",
        "MiB",
        "failed",
    )
    cells = [
        (
            row.name,
            f"{row.cpu:.2f}",
            f"{row.requests_a_second:,.0f}",
            f"+{row.added_p50:.2f}, +{row.added_p99:.2f}",
            *_of_streams(row),
            f"{row.resident_mib:.0f}",
            str(row.failed),
        )
        for row in rows
    ]
    lines = [f"| {' | '.join(line)} |" for line in (titles, ["---"] * len(titles), *cells)]
    return "\n".join([*lines, *(f"Not measured: {reason}." for reason in missing)])


def main() -> None:
    """Measure, print, and write JSON beside it if asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--requests", type=int, default=3000, help="of a round")
    options.add_argument("--streams", type=int, default=400, help="of a round")
    options.add_argument("--only", choices=["gateway"], help="leave the others out")
    options.add_argument("--json", type=Path, help="where to write the figures")
    chosen = options.parse_args()
    os.sched_setaffinity(0, cores()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows, missing = runner.run(run(Sizes(chosen.rounds, chosen.requests, chosen.streams), chosen.only))
    print(table(rows, missing))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
