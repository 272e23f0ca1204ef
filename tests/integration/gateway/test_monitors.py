"""Monitors on two replicas, with SQLite and PostgreSQL: records measured as they are written, one fall, one entry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from services.gateway.tests.records.recordings import recording
from services.gateway.tests.usage.recording import record_of, write_records
from tests.support.home.postgres import postgres_installed, temporary_postgres

from contracts.improvement.monitors import MonitorCreate
from gateway.bootstrap import MIGRATIONS
from gateway.monitors.errors import MonitorExists
from gateway.monitors.figures import Scope, Windows
from gateway.monitors.service import Monitors
from gateway.records.repository import Reader, RecordRepository
from gateway.records.writer import RecordWriter
from gateway.storage.audit_log import Actor, list_audit_entries
from gateway.usage.ledger import UsageLedger
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

DATABASES = ["sqlite", *(["postgres"] if postgres_installed() else [])]
ACME, ACTOR = Scope("acme"), Actor("key_admin")
METRICS: dict[str, Any] = {"support": None, "cost_usd": None, "error_rate": 0.1}
SPEC = MonitorCreate.model_validate({"name": "handbook", "model": "rag:handbook", "metrics": METRICS})


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture(params=DATABASES)
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Monitors]]:
    url = SecretStr(request.getfixturevalue("postgres")) if request.param == "postgres" else None
    opened = [Database.open(url, tmp_path, "gateway") for _ in range(2)]
    await migrate(opened[0], MIGRATIONS)
    clock = ManualClock()
    yield [Monitors(one, clock) for one in opened]
    for one in opened:
        await one.close()


async def _record(monitors: Monitors, days_ago: int, good: int, bad: int, tenant: str = "acme") -> None:
    """As the gateway writes them, with what they cost; each handed to the writer twice, as after a lost answer."""
    at = Windows.at(monitors.clock.now(), SPEC).start - timedelta(days=days_ago)
    ledger = UsageLedger(monitors.database, 100)
    writer = RecordWriter(monitors.database, ledger, 10_000_000, 0)
    ledger.open()
    writer.open()
    facts: dict[str, Any] = {"abstained": False, "answer_kind": "generated", "collections": ["handbook"]}
    for number in range(good + bad):
        name = f"{tenant}{days_ago}x{number}"
        report = {**facts, "grounded": number < good}
        for _ in range(2):
            submitted = recording(writer, f"chatcmpl_{name}", at, model="rag:handbook", report=report, tenant=tenant)
            writer.submit(submitted)
    await writer.all_written()
    await writer.close()
    await ledger.close()
    await write_records(
        monitors.database,
        *(
            record_of(id=f"call_{tenant}{days_ago}x{number}", tenant=tenant, started_at=at, cost_nano_usd=1000)
            for number in range(good + bad)
        ),
    )


async def test_of_two_replicas_one_tells_a_fall_and_each_answer_is_measured_once(replicas: list[Monitors]) -> None:
    first, second = replicas
    made = [one.create_monitor(ACME, SPEC, ACTOR) for one in replicas]
    refused = [one for one in await asyncio.gather(*made, return_exceptions=True) if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [MonitorExists]
    await _record(first, 1, 95, 5)
    await _record(first, 0, 30, 50)
    await asyncio.gather(*(one.look() for one in replicas for _ in range(3)))
    shown = await second.get_monitor(ACME, "handbook")
    assert [fall.metric for fall in shown.falls] == ["support"]
    support, cost = shown.figures["support"], shown.figures["cost_usd"]
    assert (support.answers, support.baseline_people, support.expected) == (80, 100, 0.95)
    assert (cost.answers, cost.value, cost.state) == (80, pytest.approx(1e-6), "steady")
    noted = [one.action for one in (await list_audit_entries(first.database, 10, None, "handbook")).data]
    assert noted == ["monitor.fall", "monitor.create"]
    worst = await second.list_worst(ACME, "handbook", "support", 200)
    assert {one.record for one in worst} == {f"chatcmpl_acme0x{number}" for number in range(30, 80)}


async def test_records_that_are_deleted_take_what_was_measured_with_them(replicas: list[Monitors]) -> None:
    first, second = replicas
    other = Scope("other")
    await first.create_monitor(other, SPEC, ACTOR)
    await _record(first, 0, 40, 40, "other")
    records = RecordRepository(second.database, second.clock)
    await records.delete_record(Reader("other"), "chatcmpl_other0x79", ACTOR)
    assert (await first.get_monitor(other, "handbook")).figures["support"].answers == 79
    assert await records.delete_records_of_tenant("other") == 79
    assert (await first.get_monitor(other, "handbook")).figures["support"].answers == 0


async def test_of_two_replicas_each_answer_is_with_one_judge_and_one_verdict_stays(replicas: list[Monitors]) -> None:
    first, second = replicas
    judge = {"model": "wise", "sample_percent": 100, "most": 7}
    spec = MonitorCreate.model_validate({"name": "judged", "model": "rag:handbook", "judge": judge})
    await first.create_monitor(ACME, spec, ACTOR)
    await _record(first, 0, 8, 0)
    one = await second.repository.get_monitor(ACME, "judged")
    assert one.spec.judge is not None
    wanted = [each.verdicts.take(one, one.spec.judge) for each in replicas for _ in range(5)]
    taken = [each for each in await asyncio.gather(*wanted) if each is not None]
    assert len({each.record_id for each in taken}) == len(taken) == 7, "no more than `most`"
    kept = [each.verdicts.keep(one, taken[0], state) for each in replicas for state in ("right", "wrong")]
    assert sum(await asyncio.gather(*kept)) == 1
    await first.verdicts.release(one, taken[1], "away", timedelta(minutes=1), counts=False)
    said = (await second.get_monitor(ACME, "judged")).verdicts
    assert said is not None
    assert (said.right + said.wrong, said.waits, said.error, said.limited) == (1, True, "away", "most")
    records = RecordRepository(second.database, second.clock)
    await records.delete_record(Reader("acme"), taken[0].record_id, ACTOR)
    said = (await first.get_monitor(ACME, "judged")).verdicts
    assert said is not None
    assert (said.right, said.wrong) == (0, 0)
    await second.delete_monitor(ACME, "judged", ACTOR)
    assert not await first.verdicts.keep(one, taken[2], "right")
