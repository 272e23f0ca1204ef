"""What recording costs: calls a second, CPU and latency of a key with `records: full` against one with `off`.

`make bench-records` runs one gateway (SQLite, Valkey, all limits) in front of the fake upstream of
`make bench-gateway`, on one core; rounds of the keys take turns. It prints medians of rounds, and of the
ratios of neighbouring rounds, and fails if a record is missing at the end: what is quick by losing records
is not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks.gateway.gateway_load import Target, median, quantile, saturate
from benchmarks.gateway.gateway_processes import Process, cores, gateway, limited_key, targets, upstream

CLIENTS = 16
WRITTEN_SECONDS = 60.0
MODES = ("off", "metadata", "full")


@dataclass
class Measured:
    """Of one key, a number a round."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    calls: int = 0
    failed: int = 0


async def measure(
    process: Process, keys: dict[str, Target], rounds: int, count: int, *, stream: bool
) -> dict[str, Measured]:
    """Rounds in turn."""
    measured = {mode: Measured() for mode in keys}
    for number in range(rounds + 1):
        for mode, target in keys.items():
            one, before = measured[mode], process.cpu_seconds()
            done = await saturate(target.port, target.stream if stream else target.whole, CLIENTS, count)
            one.calls += len(done.last)
            one.failed += done.failed
            if number:  # the first round warms
                one.rates.append(done.rate)
                one.cpu.append((process.cpu_seconds() - before) * 1e3 / max(1, len(done.last)))
                one.p99.append(quantile(done.last, 0.99))
    return measured


def lines(what: str, measured: dict[str, Measured]) -> list[str]:
    """Rows of the table."""
    off, out = measured["off"], []
    for mode, one in measured.items():
        lost = median([100 * (1 - mine / theirs) for mine, theirs in zip(one.rates, off.rates, strict=True)])
        cells = (what, mode, f"{median(one.rates):,.0f}", f"{lost:.1f} %", f"{median(one.cpu):.2f}")
        out.append(f"| {' | '.join(cells)} | {median(one.p99):.1f} | {one.failed} |")
    return out


def recorded(folder: Path) -> int:
    """Records that are in the file."""
    with sqlite3.connect(f"file:{folder / 'gateway.sqlite'}?mode=ro", uri=True) as file:
        return int(file.execute("SELECT count(*) FROM records").fetchone()[0])


def wait_for_records(folder: Path, expected: int) -> int:
    """How many there are, once there are as many as expected or `WRITTEN_SECONDS` are over."""
    until = time.monotonic() + WRITTEN_SECONDS
    while (found := recorded(folder)) < expected and time.monotonic() < until:
        time.sleep(0.1)
    return found


async def run(rounds: int, count: int) -> int:
    """Measure and print; 1 if records are missing."""
    table = [
        "| calls | records | calls/s | fewer | CPU ms | p99 ms | failed |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    expected = 0
    with upstream() as upstream_port, tempfile.TemporaryDirectory(prefix="bench-records-") as name:
        folder = Path(name)
        with gateway(folder, upstream_port) as process:
            port = process.target.port
            made = {mode: limited_key(port, folder, records=mode) for mode in MODES}
            keys = {mode: targets(port, authorization=f"Bearer {key}")[0] for mode, key in made.items()}
            for what, stream in (("whole", False), ("streams", True)):
                measured = await measure(process, keys, rounds, count // 4 if stream else count, stream=stream)
                expected += sum(one.calls for mode, one in measured.items() if mode != "off")
                table += lines(what, measured)
            found = await asyncio.to_thread(wait_for_records, folder, expected)
            size = (folder / "gateway.sqlite").stat().st_size
    print("\n".join(table))
    print(f"{found:,} records of {expected:,} calls; the file with usage is {size / 2**20:.0f} MiB.")
    return int(found != expected)


def main() -> None:
    """Measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--calls", type=int, default=3000, help="of a round")
    chosen = options.parse_args()
    os.sched_setaffinity(0, cores()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(run(chosen.rounds, chosen.calls)))


if __name__ == "__main__":
    main()
