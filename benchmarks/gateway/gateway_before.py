"""`make bench-gateway-before BEFORE=/path/to/another/checkout`: what a call costs the gateway now, and in that state.

Both run at once on one core with the same policies, and are called in turns: short rounds, so that what else the
machine does meets both. A checkout that was set up runs with its own packages, any other with this environment's.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvloop

from benchmarks.gateway.gateway_load import median, quantile, saturate
from benchmarks.gateway.gateway_processes import Process, cores, gateway, upstream

ROUNDS, REQUESTS, WARM_REQUESTS, AT_ONCE = 40, 400, 1000, 16


async def cost(process: Process) -> float:
    """Milliseconds of processor time a call, of one round."""
    before = process.cpu_seconds()
    done = await saturate(process.target.port, process.target.whole, AT_ONCE, REQUESTS)
    if done.failed:
        raise RuntimeError(f"{done.failed} calls failed")
    return (process.cpu_seconds() - before) * 1e3 / REQUESTS


async def compare(checkout: Path) -> list[tuple[float, float]]:
    """The costs of each round: now, before."""
    with upstream() as port, tempfile.TemporaryDirectory(prefix="bench-gateway-") as name, ExitStack() as stack:
        states = {Path(name) / "now": None, Path(name) / "before": checkout}
        for folder in states:
            folder.mkdir()
        both = [stack.enter_context(gateway(folder, port, state)) for folder, state in states.items()]
        for process in both:
            await saturate(process.target.port, process.target.whole, AT_ONCE, WARM_REQUESTS)
        rounds = []
        for number in range(ROUNDS):
            first, second = both if number % 2 else reversed(both)
            costs = {first.name: await cost(first), second.name: await cost(second)}
            rounds.append((costs[both[0].name], costs[both[1].name]))
        return rounds


def main() -> int:
    """Compare and print; the exit status tells whether there was a checkout."""
    checkout = Path(os.environ.get("BEFORE", "")).resolve()
    if not (checkout / "services/gateway/src").is_dir():
        print("BEFORE must be a folder with another checkout: `git worktree add` makes one.")
        return 2
    os.sched_setaffinity(0, cores()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rounds = runner.run(compare(checkout))
    now, before = ([one[which] for one in rounds] for which in (0, 1))
    shares = [one / other for one, other in rounds]
    for name, costs in (("now", now), ("before", before)):
        print(f"{name}: CPU ms a call {min(costs):.2f} at least, median {median(costs):.2f}")
    print(
        f"now / before: {min(now) / min(before):.2f} of the least; of the rounds median {median(shares):.2f}, "
        f"quartiles {quantile(shares, 0.25):.2f} and {quantile(shares, 0.75):.2f}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
