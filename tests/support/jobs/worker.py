"""A worker process of the jobs that count: `python -m tests.support.jobs.worker FOLDER [URL]`, until SIGTERM.

Its leases are short, and each of its steps lasts long enough to be killed in.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import SystemRandom

from pydantic import SecretStr
from tests.support.jobs.kind import Counting, CountingBench

from servicekit.core.clock import SystemClock
from servicekit.jobs.leased_job import LeasedJob
from servicekit.jobs.worker import Chore, Worker
from servicekit.sql.database import Database

LEASE_SECONDS, POLL_SECONDS, STEP_SECONDS = 1.5, 0.1, 0.08
SLOTS, TENANT_SLOTS = 3, 2
DRAIN_SECONDS = 0.2
_RANDOM = SystemRandom()


async def step(job: LeasedJob, number: int) -> None:
    """Lasts a while, and now and then goes wrong."""
    await asyncio.sleep(_RANDOM.uniform(0, STEP_SECONDS))
    if _RANDOM.random() < 0.02:
        raise RuntimeError("now and then")


async def main(folder: Path, url: str | None) -> None:
    """Work until told to stop."""
    database = Database.open(SecretStr(url) if url else None, folder, "jobs")
    kind = Counting(step, max_attempts=50, longest_backoff=0.1)
    clock = SystemClock()
    bench = CountingBench(database, clock, kind, lease_seconds=LEASE_SECONDS, tenant_slots=TENANT_SLOTS)
    owner = f"worker:{os.getpid()}"

    async def announce() -> None:
        await bench.registry.announce(owner, SLOTS, clock.now())

    worker = Worker(bench.runner, owner, SLOTS, POLL_SECONDS, [Chore(10, announce)])
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    await worker.run(DRAIN_SECONDS)
    await bench.registry.sign_off(owner)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
