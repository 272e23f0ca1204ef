"""The gateway's memory over time: many distinct keys, each with limits and a budget of its own.

`make bench-gateway-soak` (MINUTES=8, KEYS=10000, RATE=250 calls a second) calls with one key after the other: whole
answers and streams, calls that fail, clients that leave in the middle. It prints resident memory as it goes, and at the
end its slope over the second half, when every key has been seen and every bounded store is full.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path

import uvloop
from sqlalchemy import insert

from benchmarks.gateway.gateway_load import connect, fresh
from benchmarks.gateway.gateway_processes import BODY, Process, cores, gateway, request_bytes, streaming, upstream
from contracts.access.keys import Budget, KeyCreate, Limits
from gateway.auth.key_repository import key_row
from gateway.auth.keys import new_secret
from gateway.auth.tenant_repository import TenantRepository
from gateway.bootstrap import MIGRATIONS
from gateway.storage.audit_log import Actor
from gateway.storage.tables import keys
from servicekit.core.clock import SystemClock
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

LIMITS = Limits(requests_per_minute=100_000, tokens_per_minute=1_000_000_000, concurrency=1000)
TENANTS = 50
CALLERS = 32
SAMPLE_SECONDS = 5.0
PATH = "/v1/chat/completions"


@dataclass
class Soak:
    """What was seen: minutes and MiB of each sample, and how many calls were made and failed."""

    minutes: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    calls: int = 0
    answered: int = 0
    left: int = 0

    @property
    def slope(self) -> float:
        """MiB an hour over the second half, by least squares."""
        half = len(self.mib) // 2
        xs, ys = self.minutes[half:], self.mib[half:]
        mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((x - mean_x) ** 2 for x in xs)
        return 60 * sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0


async def make_keys(folder: Path, number: int) -> list[str]:
    """So many keys in the ledger, over `TENANTS` tenants; their secrets."""
    database, clock = Database.open(None, folder, "gateway"), SystemClock()
    await migrate(database, MIGRATIONS)
    tenants, secrets = TenantRepository(database, clock), [new_secret() for _ in range(number)]
    async with database.write() as connection:
        for tenant in range(TENANTS):
            await tenants.ensure_tenant(connection, f"tenant-{tenant}", clock.now(), Actor("bench"))
        rows = []
        for at, secret in enumerate(secrets):
            wanted = KeyCreate(
                name=f"k{at}",
                tenant=f"tenant-{at % TENANTS}",
                scopes=["chat"],
                limits=LIMITS,
                budgets=[Budget(window="day", usd=1000)],
            )
            rows.append(key_row(wanted, new_id("key"), secret, clock))
        await connection.execute(insert(keys), rows)
    await database.close()
    return secrets


async def load(process: Process, secrets: list[str], rate: float, until: float, soak: Soak) -> None:
    """Calls at a fixed rate, each with the next key, until the time is over."""
    port, started, numbers = process.target.port, time.monotonic(), count()

    async def caller() -> None:
        connection = await connect(port)
        for number in numbers:
            due = started + number / rate
            if due > until:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            connection = await fresh(connection, port)
            soak.calls += 1
            if number % 20 == 19:  # this client leaves in the middle of its stream
                assert connection.transport is not None
                connection.transport.write(_request(port, secrets, number))
                asyncio.get_running_loop().call_later(0.06, connection.transport.abort)
                connection = await connect(port)
                soak.left += 1
            else:
                good = await connection.ask(_request(port, secrets, number))
                soak.answered += good  # not in one statement: another caller counts meanwhile
        if connection.transport is not None:
            connection.transport.close()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


def _request(port: int, secrets: list[str], number: int) -> bytes:
    body = BODY
    if number % 20 == 18:
        body = {**BODY, "model": f"nobody-has-{number}"}
    elif number % 20 == 19:
        body = streaming("pace-50-25-16")
    elif number % 3 == 0:
        body = streaming("pace-5-2-8")
    secret = secrets[number % len(secrets)]
    return request_bytes(port, PATH, {"authorization": f"Bearer {secret}"}, {**body, "seed": number})


async def watch(process: Process, until: float, soak: Soak) -> None:
    """Note and print the memory."""
    started = time.monotonic()
    for number in count():
        await asyncio.sleep(max(0.0, started + number * SAMPLE_SECONDS - time.monotonic()))
        if time.monotonic() >= until:
            return
        soak.minutes.append((time.monotonic() - started) / 60)
        soak.mib.append(process.resident_mib())
        if number % 6 == 0:
            print(f"| {soak.minutes[-1]:5.1f} | {soak.mib[-1]:7.1f} | {soak.calls:9,} |", flush=True)


async def run(minutes: float, number: int, rate: float) -> Soak:
    """The whole soak."""
    soak = Soak()
    with upstream() as port, tempfile.TemporaryDirectory(prefix="bench-gateway-soak-") as folder:
        secrets = await make_keys(Path(folder), number)
        with gateway(Path(folder), port) as process:
            until = time.monotonic() + minutes * 60
            print("| minute | MiB | calls |\n| --- | --- | --- |", flush=True)
            await asyncio.gather(load(process, secrets, rate, until, soak), watch(process, until, soak))
    return soak


def summary(soak: Soak, number: int) -> Iterator[str]:
    """The figures in words."""
    yield f"{soak.calls:,} calls with {number:,} keys: {soak.answered:,} answered with 200, {soak.left:,} clients left"
    yield f"MiB: {soak.mib[0]:.1f} at first, {max(soak.mib):.1f} at most, {soak.mib[-1]:.1f} at last"
    yield f"slope of the second half: {soak.slope:+.1f} MiB an hour"


def main() -> None:
    """Measure, print, and write JSON beside it if asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=float(os.environ.get("MINUTES", "8")))
    options.add_argument("--keys", type=int, default=int(os.environ.get("KEYS", "10000")))
    options.add_argument("--rate", type=float, default=float(os.environ.get("RATE", "250")), help="calls a second")
    options.add_argument("--json", type=Path, help="where to write the figures")
    chosen = options.parse_args()
    os.sched_setaffinity(0, cores()[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        soak = runner.run(run(chosen.minutes, chosen.keys, chosen.rate))
    print("\n".join(summary(soak, chosen.keys)))
    if chosen.json:
        chosen.json.write_text(json.dumps({**asdict(soak), "slope": soak.slope}, indent=2))


if __name__ == "__main__":
    main()
