"""The gateway's ledger on each database: first start by two replicas, keys, usage; and the process itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import update
from tests.support.gateway.running import DEADLINE_SECONDS, settings_in
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.access.keys import KeyCreate, KeyPatch, Limits, TenantPatch
from contracts.models.routes import RouteSpec, RouteTarget
from gateway.auth.errors import KeyNotFound, KeyRevoked, KeyUnknown, LastAdminKey, TenantNotFound
from gateway.auth.keys import Principal
from gateway.bootstrap import open_dependencies
from gateway.dependencies import Dependencies
from gateway.storage.audit_log import Actor, list_audit_entries
from gateway.storage.tables import reservations
from gateway.usage.ledger import UsageLedger
from gateway.usage.records import ReservationRecord
from gateway.usage.report import UsageQuestion, period, usage_report
from servicekit.sql.database import UnstorableText

DATABASES = ["sqlite", *(["postgres"] if postgres_installed() else [])]
ACTOR = Actor("key_admin")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture(params=DATABASES)
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Dependencies]]:
    """Two replicas that start at the same moment on one empty ledger."""
    url = SecretStr(request.getfixturevalue("postgres")) if request.param == "postgres" else None
    settings = settings_in(tmp_path, database_url=url)
    opened = [open_dependencies(settings) for _ in range(2)]
    both = list(await asyncio.gather(*(one.__aenter__() for one in opened)))
    yield both
    for one in opened:
        await one.__aexit__(None, None, None)


async def test_the_ledger_does_its_work_on_every_database(replicas: list[Dependencies], tmp_path: Path) -> None:
    first, second = replicas
    await _one_admin_key_works_on_both(first, second, tmp_path)
    await _keys_made_here_work_there(first, second)
    await _usage_of_both_adds_up(first, second)
    await _answers_are_of_their_collections(first, second)
    await _what_changes_here_holds_there_within_a_second(first, second)
    await _what_one_reserved_another_bills(first, second)
    await _one_of_two_routes_put_at_once_stays(first, second)
    await _a_name_with_a_nul_is_nobodys(first)
    await _two_administrators_can_not_take_away_each_other(first, second)


async def _one_admin_key_works_on_both(first: Dependencies, second: Dependencies, folder: Path) -> None:
    secret = (folder / "admin.key").read_text()
    for replica in (first, second):
        assert (await replica.authenticator.identify(f"Bearer {secret}")).is_admin
    assert [key.id for key in (await first.keys.list_keys(10, None)).data] == ["key_admin"]
    with pytest.raises(LastAdminKey):
        await second.keys.revoke_key("key_admin", ACTOR)


async def _keys_made_here_work_there(first: Dependencies, second: Dependencies) -> None:
    wanted = KeyCreate(name="k", tenant="acme", scopes=["chat"], collections=["a"])
    made = await asyncio.gather(*(replica.keys.create_key(wanted, ACTOR) for replica in (first, second) * 5))
    for key in made:
        assert (await second.authenticator.identify(f"Bearer {key.secret}")).collections == ("a",)
    seen = [key.id for key in (await first.keys.list_keys(6, None)).data]
    cursor = (await first.keys.list_keys(6, None)).next_cursor
    seen += [key.id for key in (await second.keys.list_keys(6, cursor)).data]
    assert sorted(seen) == sorted(["key_admin", *(key.id for key in made)])


async def _usage_of_both_adds_up(first: Dependencies, second: Dependencies) -> None:
    principal = Principal("k1", "acme", frozenset({"chat"}))

    async def call(replica: Dependencies, number: int) -> None:
        async with replica.meter.call(principal, "chat", f"req_{number}") as metered:
            metered.tokens.prompt = number
            metered.cost = None if number == 0 else number

    await asyncio.gather(*(call((first, second)[number % 2], number) for number in range(400)))
    async with asyncio.timeout(DEADLINE_SECONDS):
        rows: list[Any] = []
        while not rows or rows[0].requests < 400:
            since, until = period(None, None, first.clock.now())
            rows = await usage_report(first.database, UsageQuestion("day", since, until, "acme"))
            await asyncio.sleep(0.01)
    assert sum(row.prompt_tokens for row in rows) == sum(range(400))
    assert sum(row.unpriced_requests for row in rows) == 1
    assert sum(row.cost_usd or 0 for row in rows).scaleb(9) == sum(range(400))


async def _answers_are_of_their_collections(first: Dependencies, second: Dependencies) -> None:
    principal = Principal("k2", "readers", frozenset({"chat"}))
    for replica, model in ((first, "rag:b,a"), (second, "rag:a,b"), (first, "rag:c"), (second, None)):
        async with replica.meter.call(principal, "chat", "req") as outer:
            outer.model, outer.cost = model, 1
            async with replica.meter.call(principal, "chat", "req", outer.id) as inner:
                inner.model, inner.cost = "m", 10
    async with asyncio.timeout(DEADLINE_SECONDS):
        rows: dict[str, tuple[int, Decimal | None]] = {}
        while sum(requests for requests, _ in rows.values()) < 4:
            since, until = period(None, None, first.clock.now())
            found = await usage_report(first.database, UsageQuestion("collection", since, until, "readers", "k2"))
            rows = {row.group: (row.requests, row.cost_usd) for row in found}
            await asyncio.sleep(0.01)
    assert {name: (requests, (cost or 0) * 10**9) for name, (requests, cost) in rows.items()} == {
        "": (1, 11), "a,b": (2, 22), "c": (1, 11),
    }  # fmt: skip


async def _what_changes_here_holds_there_within_a_second(first: Dependencies, second: Dependencies) -> None:
    key = await first.keys.create_key(KeyCreate(name="k", tenant="acme", scopes=["chat"]), ACTOR)
    header = f"Bearer {key.secret}"
    await second.authenticator.identify(header)
    await first.keys.update_key(key.id, KeyPatch(limits=Limits(concurrency=3)), ACTOR)
    await first.tenants.update_tenant("acme", TenantPatch(limits=Limits(requests_per_minute=9)), ACTOR)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (principal := await second.authenticator.identify(header)).limits.concurrency != 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while principal.tenant_limits.requests_per_minute != 9:
            await asyncio.sleep(0.01)
            principal = await second.authenticator.identify(header)
        rotated = await first.keys.rotate_key(key.id, timedelta(0), ACTOR)
        await _refused(second, header, KeyUnknown)
        assert (await second.authenticator.identify(f"Bearer {rotated.secret}")).key_id == key.id
        await first.keys.revoke_key(key.id, ACTOR)
        await _refused(second, f"Bearer {rotated.secret}", KeyRevoked)
    assert {"key.change", "tenant.change", "key.rotate", "key.revoke"} <= {
        entry.action for entry in (await list_audit_entries(second.database, 50, None, None)).data
    }


async def _refused(replica: Dependencies, header: str, why: type[Exception]) -> None:
    """Return once a key is."""
    while True:
        try:
            await replica.authenticator.identify(header)
        except why:
            return
        await asyncio.sleep(0.01)


async def _what_one_reserved_another_bills(first: Dependencies, second: Dependencies) -> None:
    dead = UsageLedger(first.database, 10)
    dead.open()
    hold = ReservationRecord(
        "call_lost", None, "r", "k9", "lost", "chat", "m", 1, 5, 6, 0, 77, first.clock.now() - timedelta(days=1)
    )
    await dead.reserve(hold)
    async with first.database.write() as connection:
        await connection.execute(update(reservations).values(expires_at=first.clock.now() - timedelta(seconds=1)))
    billed = await asyncio.gather(*(replica.housekeeping.settle_orphans() for replica in (first, second) * 3))
    assert sum(billed) == 1
    since, until = period(None, None, first.clock.now())
    (row,) = await usage_report(second.database, UsageQuestion("key", since, until, "lost"))
    assert (row.requests, row.estimated_requests, row.cost_usd) == (1, 1, Decimal("0.000000077"))
    await dead.close()


async def _one_of_two_routes_put_at_once_stays(first: Dependencies, second: Dependencies) -> None:
    specs = [RouteSpec(targets=[RouteTarget(model=name)]) for name in "ab" * 4]
    for _ in range(3):  # of a new name, then of one that is there
        await asyncio.gather(
            *(
                replica.routes.update_route("r", spec, ACTOR)
                for replica, spec in zip((first, second) * 4, specs, strict=True)
            )
        )
        assert (await first.routes.list_routes())["r"].targets in [spec.targets for spec in specs]


async def _a_name_with_a_nul_is_nobodys(replica: Dependencies) -> None:
    for look in (replica.keys.get_key, replica.tenants.get_tenant):
        with pytest.raises((UnstorableText, KeyNotFound, TenantNotFound)):
            await look("a\0b")
    with contextlib.suppress(UnstorableText):
        assert (await list_audit_entries(replica.database, 1, None, "a\0b")).data == []


async def _two_administrators_can_not_take_away_each_other(first: Dependencies, second: Dependencies) -> None:
    wanted = KeyCreate(name="root", tenant="acme", scopes=["admin"])
    no_admin = KeyPatch(scopes=["chat"])
    for _ in range(10):
        other, third = [await first.keys.create_key(wanted, ACTOR) for _ in range(2)]
        await first.keys.update_key("key_admin", KeyPatch(scopes=["chat"]), ACTOR)
        done = await asyncio.gather(
            first.keys.revoke_key(other.id, ACTOR),
            second.keys.update_key(third.id, no_admin, ACTOR),
            return_exceptions=True,
        )
        assert sum(isinstance(each, LastAdminKey) for each in done) == 1, done
        await first.keys.update_key("key_admin", KeyPatch(scopes=["admin"]), ACTOR)
        for key in (other, third):
            await first.keys.revoke_key(key.id, ACTOR)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_process_listens_on_three_ports_in_little_memory_and_stops_when_told(tmp_path: Path) -> None:
    ports = {"PORT": _free_port(), "MODEL_PLANE_PORT": _free_port(), "METRICS_PORT": _free_port()}
    environment = {
        **os.environ,
        **{f"GATEWAY_{name}": str(port) for name, port in ports.items()},
        "GATEWAY_DATA_DIR": str(tmp_path / "data"),
        "GATEWAY_DELEGATION_PUBLIC_KEY_FILE": str(tmp_path / "d.pub"),
        "GATEWAY_DELEGATION_PRIVATE_KEY_FILE": str(tmp_path / "d.key"),
        "GATEWAY_ADMIN_KEY_FILE": str(tmp_path / "admin.key"),
        "GATEWAY_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'ulimit -S -n 256 && ulimit -H -n 8192 && exec "$0" -m gateway', sys.executable),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with aiohttp.ClientSession() as session:
            assert await _status(session, ports["PORT"], "/healthz") == 200
            assert await _status(session, ports["MODEL_PLANE_PORT"], "/healthz") == 200
            assert await _status(session, ports["METRICS_PORT"], "/metrics") == 200
            assert await _status(session, ports["PORT"], "/openapi.json") == 200
            counted = [await _calls_counted(session, ports["METRICS_PORT"]) for _ in range(8)]
            assert counted == sorted(counted)  # one process: no scrape meets another one's counters
        running = psutil.Process(process.pid)
        assert running.children() == []
        assert running.rlimit(psutil.RLIMIT_NOFILE) == (8192, 8192)
        assert running.memory_info().rss < 180 * 1024 * 1024
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
        assert process.returncode == 0
        assert (tmp_path / "admin.key").read_text() not in output.decode()
    finally:
        if process.returncode is None:
            process.kill()


async def _calls_counted(session: aiohttp.ClientSession, port: int) -> float:
    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("groundwork_http_requests_total{"))


async def _status(session: aiohttp.ClientSession, port: int, path: str) -> int:
    async with asyncio.timeout(60):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
