"""Workers of the job machine are killed at random: no job is lost, no step is done twice, nothing is stuck.

`JOBS=300 KILLS=60 SEED=2 .venv/bin/pytest -s tests/chaos/test_jobs_chaos.py`.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.support.home.postgres import postgres_installed, temporary_postgres
from tests.support.jobs.chaos import kill_workers
from tests.support.jobs.kind import EFFECTS, FINAL, JOBS, TABLE, CountingBench, empty_database

from servicekit.core.clock import SystemClock
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.sql.database import rows_of

COUNT, KILLS, SEED = (int(os.environ.get(name, few)) for name, few in (("JOBS", "48"), ("KILLS", "6"), ("SEED", "1")))
STEPS, TENANTS, WORKERS = 5, ("acme", "globex", "initech"), 2


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "postgres" and not postgres_installed():
        pytest.skip("PostgreSQL is not installed")
    with temporary_postgres() if request.param == "postgres" else nullcontext() as url:
        yield url


class Counts:
    """Jobs that count, of three tenants; a tenth of them is cancelled by their callers."""

    def __init__(self, bench: CountingBench, folder: Path, url: str | None) -> None:
        self._bench = bench
        self._command = ["tests.support.jobs.worker", str(folder), *([url] if url else [])]
        self.jobs: list[str] = []
        self.cancelled: set[str] = set()

    def command(self) -> list[str]:
        return self._command

    async def disturb(self, chance: random.Random) -> None:
        new = [await self._bench.add(chance.choice(TENANTS), STEPS) for _ in range(COUNT // KILLS)]
        self.jobs += new
        for job_id in chance.sample(self.jobs, max(1, len(new) // 10)):
            async with self._bench.database.write() as connection:
                if await request_cancel(connection, JOBS, job_id) is None:
                    ended = {"status": "cancelled", "last_event": TABLE.c.last_event}
                    await revoke(connection, JOBS, TABLE.c.id == job_id, ended)
            self.cancelled.add(job_id)

    async def live(self) -> int:
        count = select(func.count()).where(TABLE.c.status.not_in(FINAL)).select_from(TABLE)
        async with self._bench.database.read() as connection:
            return int((await connection.execute(count)).scalar_one())

    async def at_work(self) -> set[int]:
        owners = select(TABLE.c.lease_owner).where(TABLE.c.lease_owner.is_not(None)).distinct()
        return {int(row["lease_owner"].rpartition(":")[2]) for row in await self._bench.database.read(rows_of(owners))}

    async def check(self) -> None:
        """Each job did each step once, in order, under ever newer leases, and told so without a gap."""
        statuses: Counter[str] = Counter()
        for job_id in self.jobs:
            row, steps = await self._bench.row(job_id), await self._bench.effects(job_id)
            events = await self._bench.events(job_id)
            statuses[row["status"]] += 1
            assert row["status"] == "ready" or job_id in self.cancelled, row
            assert steps == list(range(1, row["steps_done"] + 1)), (row, steps)
            assert row["status"] != "ready" or row["steps_done"] == STEPS
            assert [number for number, _ in events] == list(range(1, row["last_event"] + 1))
            assert [kind for _, kind in events][: len(steps)] == ["counted"] * len(steps)
            assert (row["lease_owner"], row["lease_expires_at"]) == (None, None)
        fences = select(EFFECTS.c.job_id, EFFECTS.c.fence).order_by(EFFECTS.c.number)
        newest: dict[str, int] = {}
        for effect in await self._bench.database.read(rows_of(fences)):
            assert effect["fence"] >= newest.get(effect["job_id"], 0), "an old lease wrote after a newer one"
            newest[effect["job_id"]] = effect["fence"]
        again = sum(fence > 1 for fence in newest.values())
        sys.stdout.write(f"{dict(statuses)}, {again} of {len(self.jobs)} went on under another worker\n")
        assert again, "kills met jobs at work"


async def test_killed_workers_lose_nothing_double_nothing_and_leave_nothing_stuck(
    url: str | None, tmp_path: Path
) -> None:
    async with empty_database(url, tmp_path) as database:
        counts = Counts(CountingBench(database, SystemClock()), tmp_path, url)
        seconds = 60 + 2.0 * (COUNT + KILLS)
        await kill_workers(counts, tmp_path, workers=WORKERS, kills=KILLS, seed=SEED, seconds=seconds)
        await counts.check()
