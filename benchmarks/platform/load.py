"""`make bench-load [STEP_SECONDS=20] [FIRST_RATE=0.5] [MOST_STEPS=10]`: more and more at once, to the knee.

A fresh home on this machine is asked, searched, given documents and agents' runs, in the shares of `load_mix.MIX`,
first at `FIRST_RATE` calls a second, then half as many more at each step. The knee is the last step before the first
that is not kept up with: all but 1 % answered without error, none left over, searches not slowed down five times. The
table says what each kind of call took, and the last lines what was used up. It stops two steps behind the knee.

`INFERENCE_MODELS_FILE=deploy/config/models.scripted.yaml make bench-load` shows the platform without its models' work.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import aiohttp

from benchmarks.gateway.gateway_load import quantile
from benchmarks.home import Home, fresh_home, write_result
from benchmarks.platform.load_mix import MIX, Callers, Done
from benchmarks.platform.load_watch import Watch

STEP_SECONDS = float(os.environ.get("STEP_SECONDS", "20"))
FIRST_RATE = float(os.environ.get("FIRST_RATE", "0.5"))
MOST_STEPS = int(os.environ.get("MOST_STEPS", "10"))
GROWTH = 1.5
BEHIND = 2
"""Steps that are not kept up with, after which it stops."""
SETTLE_SECONDS = 10.0
SLOWER, MOST_ERRORS = 5.0, 0.01
LEAST_USUAL_MS = 50.0
SPENT = 0.9
"""Share of a core, or of all, from which on it counts as used up."""


def main() -> None:
    """Measure, print, keep."""
    with fresh_home() as home:
        steps = asyncio.run(climb(home))
    kept_up = list(takewhile(lambda step: step["kept_up"], steps))
    knee = kept_up[-1]["rate"] if kept_up else 0.0
    print(f"\nknee: {knee:g} calls a second ({', '.join(f'{share:.0%} {kind}' for kind, share in MIX.items())})")
    print(f"used up behind it: {steps[-1]['saturated']}")
    write_result("load", {"mix": MIX, "step_seconds": STEP_SECONDS, "knee_calls_per_second": knee, "steps": steps})


async def climb(home: Home) -> list[dict[str, Any]]:
    """Step after step, until it is not kept up with."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        callers = Callers(home.base_url, home.key, session)
        await callers.prepare()
        watch, steps, behind = Watch(home), list[dict[str, Any]](), 0
        usual = 0.0
        print(
            f"{'calls/s':>8}{'done/s':>8}{'errors':>8}" + "".join(f"{f'{kind} p50 · p95 · p99 ms':>30}" for kind in MIX)
        )
        while len(steps) < MOST_STEPS and behind < BEHIND:
            step = await _step(callers, watch, FIRST_RATE * GROWTH ** len(steps))
            search = step["kinds"]["search"]["p95_ms"] or 0.0
            usual = usual or max(search, LEAST_USUAL_MS)
            slow = search > SLOWER * usual
            step["kept_up"] = not slow and not step["left_over"] and step["errors"] <= MOST_ERRORS * step["calls"]
            behind = 0 if step["kept_up"] else behind + 1
            steps.append(step)
            _print(step)
    return steps


async def _step(callers: Callers, watch: Watch, rate: float) -> dict[str, Any]:
    """One rate, and what came of it."""
    callers.done.clear()
    watch.reset()
    began = time.monotonic()
    await callers.arrive(rate, STEP_SECONDS)
    cores, queues = await asyncio.to_thread(watch.cores), await asyncio.to_thread(watch.queues)
    left = await callers.settle(SETTLE_SECONDS)
    done = list(callers.done)
    failed = [f"{one.kind}: {one.error}" for one in done if one.error]
    return {
        "rate": round(rate, 2),
        "calls": len(done) + left,
        "done_per_second": round((len(done) - len(failed)) / (time.monotonic() - began), 2),
        "errors": len(failed),
        "what_failed": {error: failed.count(error) for error in sorted(set(failed))},
        "left_over": left,
        "kinds": {kind: _quantiles([one for one in done if one.kind == kind]) for kind in MIX},
        "cores": cores,
        "queues": queues,
        "saturated": saturated(cores, queues),
    }


def _quantiles(done: Sequence[Done]) -> dict[str, float | None]:
    """Milliseconds from when a call was due to the end of its answer."""
    taken = [one.seconds * 1000 for one in done if not one.error]
    found = {f"p{part}_ms": round(quantile(taken, part / 100), 1) if taken else None for part in (50, 95, 99)}
    return {"calls": len(done), **found}


def saturated(cores: dict[str, float], queues: dict[str, float]) -> str:
    """In words: what has nothing left, and where calls wait."""
    machine = os.cpu_count() or 1
    told = []
    if cores["idle"] < (1 - SPENT) * machine:
        told.append(f"all {machine} cores ({cores['idle']:g} idle)")
    told += [f"{name} with {used:g} cores" for name, used in cores.items() if used >= SPENT and name != "idle"]
    told += [f"{waiting:g} {name}" for name, waiting in queues.items() if waiting >= 1]
    busiest = ", ".join(f"{name} {used:g}" for name, used in list(cores.items())[:4])
    return f"{'; '.join(told) or 'nothing'} (cores: {busiest})"


def _print(step: dict[str, Any]) -> None:
    times = "".join(f"{_told(kind):>30}" for kind in step["kinds"].values())
    print(f"{step['rate']:>8}{step['done_per_second']:>8}{step['errors'] + step['left_over']:>8}{times}", flush=True)
    print(f"{'':>8}{'kept up' if step['kept_up'] else 'not kept up'}: {step['saturated']}{_missing(step)}")


def _missing(step: dict[str, Any]) -> str:
    """What was not answered, and why."""
    failed = "".join(f"; {count} x {error}" for error, count in step["what_failed"].items())
    return failed + (f"; {step['left_over']} left over" if step["left_over"] else "")


def _told(kind: dict[str, float | None]) -> str:
    return " · ".join("-" if (ms := kind[f"p{part}_ms"]) is None else f"{ms:,.0f}" for part in (50, 95, 99))


if __name__ == "__main__":
    main()
