"""`SOAK_MINUTES=30 make bench-soak [RATE=0.5]`: a steady load for half an hour, and whether any process grows.

The memory of each process (its own pages, children included) is sampled every two seconds while calls of the mix of
`load_mix` come at `RATE` a second, and their medians shown once a minute. The first third is left out: pools fill,
caches warm up. Over the rest a line is fitted (Theil and Sen: the median of all slopes between two samples, which one
peak can't tilt). A process is flat if the line rises by no more than 3 % or 4 MB, whichever is more, from its beginning
to its end. Ends with 1 if one is not, or if more than a call in a hundred fails.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import aiohttp

from benchmarks.home import Home, fresh_home, write_result
from benchmarks.platform.load_mix import Callers
from benchmarks.platform.load_watch import Watch

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
RATE = float(os.environ.get("RATE", "0.5"))
SAMPLE_SECONDS = 2.0
WARM_SHARE = 1 / 3
FLAT_SHARE, FLAT_BYTES = 0.03, 4_000_000
MOST_POINTS = 300
"""Medians of neighbouring samples that a line is fitted through."""
SETTLE_SECONDS = 60.0
MOST_FAILED = 0.01

ROW_SECONDS = 60.0

Sample = tuple[float, dict[str, int]]


def main() -> int:
    """Measure, print, keep; the process's status."""
    with fresh_home() as home:
        result = asyncio.run(soak(home))
    print(
        f"\n{MINUTES:g} minutes at {RATE:g} calls/s: {result['calls']} calls, {result['failed']} failed {result['why']}"
    )
    print(f"{'process':<12}{'MB at first':>12}{'at the end':>12}{'most':>8}{'MB/hour':>10}")
    for name, one in result["processes"].items():
        figures = f"{one['first_mb']:>12}{one['last_mb']:>12}{one['most_mb']:>8}{one['mb_per_hour']:>10}"
        print(f"{name:<12}{figures}  {'flat' if one['flat'] else 'GROWS'}")
    write_result("soak", {"minutes": MINUTES, "rate": RATE, **result})
    grows = [name for name, one in result["processes"].items() if not one["flat"] and name != "load"]
    return int(bool(grows) or result["failed"] > MOST_FAILED * result["calls"])


async def soak(home: Home) -> dict[str, Any]:
    """The load and the samples."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        callers = Callers(home.base_url, home.key, session)
        await callers.prepare()
        watch, samples = Watch(home), list[Sample]()
        sampling = asyncio.create_task(_sample(watch, samples))
        await callers.arrive(RATE, MINUTES * 60)
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
        left = await callers.settle(SETTLE_SECONDS)
    failed = [f"{one.kind}: {one.error}" for one in callers.done if one.error] + ["left over"] * left
    return {
        "calls": len(callers.done) + left,
        "failed": len(failed),
        "why": {error: failed.count(error) for error in sorted(set(failed))},
        "cores": watch.cores(),
        "processes": {name: fitted([(at, of[name]) for at, of in samples if name in of]) for name in samples[0][1]},
        "mb_by_minute": by_minute(samples),
    }


async def _sample(watch: Watch, samples: list[Sample]) -> None:
    began, shown = time.monotonic(), 0
    while True:
        taken = await asyncio.to_thread(watch.resident)
        samples.append((time.monotonic() - began, taken))
        minute = int(samples[-1][0] // ROW_SECONDS)
        if minute > shown:
            _print_minute(minute, samples)
            shown = minute
        await asyncio.sleep(SAMPLE_SECONDS)


def _print_minute(minute: int, samples: Sequence[Sample]) -> None:
    """A row for the minute that has just ended; the first has the names above it."""
    names = samples[0][1]
    if minute == 1:
        print(f"{'minute':<8}" + "".join(f"{name:>11}" for name in names))
    ended = by_minute([each for each in samples if each[0] // ROW_SECONDS == minute - 1])
    print(f"{minute:<8}" + "".join(f"{of[0]:>11}" for of in ended.values()), flush=True)


def by_minute(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """The median of each process in each minute that has samples, in megabytes."""
    minutes = sorted({int(at // ROW_SECONDS) for at, _ in samples})
    return {
        name: [
            round(statistics.median(of.get(name, 0) for at, of in samples if at // ROW_SECONDS == minute) / 1e6, 1)
            for minute in minutes
        ]
        for name in samples[0][1]
    }


def fitted(samples: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """A line through the samples of one process after it has warmed up: megabytes and megabytes an hour."""
    warm = [each for each in samples if each[0] >= WARM_SHARE * samples[-1][0]]
    size = -(-len(warm) // MOST_POINTS)
    groups = [warm[at : at + size] for at in range(0, len(warm), size)]
    points = [(statistics.mean(at for at, _ in each), statistics.median(of for _, of in each)) for each in groups]
    slope = statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2))
    middle = statistics.median(of - slope * at for at, of in points)
    first, last = (middle + slope * at for at in (points[0][0], points[-1][0]))
    return {
        "first_mb": round(first / 1e6, 1),
        "last_mb": round(last / 1e6, 1),
        "most_mb": round(max(of for _, of in samples) / 1e6, 1),
        "mb_per_hour": round(slope * 3600 / 1e6, 1),
        "flat": last - first <= max(FLAT_SHARE * first, FLAT_BYTES),
    }


if __name__ == "__main__":
    sys.exit(main())
