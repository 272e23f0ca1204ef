from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from services.gateway.tests.monitors.answers import record_answers, told
from services.gateway.tests.usage.recording import record_of, write_records
from sqlalchemy import delete, insert

from contracts.improvement.monitors import MonitorCreate
from gateway.experiments.figures import METRICS, VariantSums
from gateway.monitors.figures import Scope, Windows, monitor_sums, worst_answers
from gateway.storage.tables import feedback, records
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

ACME = Scope("acme")


def _spec(**wanted: Any) -> MonitorCreate:
    return MonitorCreate.model_validate({"name": "m", "metrics": dict.fromkeys(METRICS), **wanted})


async def _sums(
    database: Database, clock: ManualClock, scope: Scope = ACME, **wanted: Any
) -> tuple[VariantSums, VariantSums]:
    spec = _spec(**wanted)
    return await monitor_sums(database, scope, spec, Windows.at(clock.now(), spec))


def _rating(answer: str, person: str, verdict: int, at: datetime) -> dict[str, Any]:
    rating = {1: "up", 0: None, -1: "down"}[verdict]
    said = {"answer_id": answer, "person": person, "part": "answer", "rating": rating, "verdict": verdict}
    facts = {"tenant": "acme", "key_id": "k1", "labels": [], "collections": "", "created_at": at, "updated_at": at}
    return {"id": f"{answer}{person}", **facts, **said}


@pytest.mark.parametrize(("hours", "start"), [(1, "12:00"), (6, "12:00"), (24, "00:00")])
def test_windows_begin_at_the_same_moments_on_every_replica(hours: int, start: str) -> None:
    moments = [datetime(2026, 3, 1, 12, minute, tzinfo=UTC) for minute in (0, 31, 59)]
    starts = {Windows.at(one, _spec(window_hours=hours)).start for one in moments}
    assert starts == {datetime.fromisoformat(f"2026-03-01T{start}:00+00:00")}


async def test_answers_of_the_window_and_of_the_days_before_are_summed_each_once(
    database: Database, clock: ManualClock
) -> None:
    start = Windows.at(clock.now(), _spec()).start
    await record_answers(database, start, 3, "now", report=told(grounded=False))
    await record_answers(database, start - timedelta(seconds=1), 2, "before", report=told())
    await record_answers(database, start - timedelta(days=7), 1, "first", report=told(abstained=True))
    await record_answers(database, start - timedelta(days=7, seconds=1), 4, "old", report=told())
    await record_answers(database, start, 5, "other", report=told(), tenant="other")
    now, before = await _sums(database, clock)
    assert (now.calls, now.of("support").mean, now.of("abstention").mean) == (3, 0.0, 0.0)
    assert (before.calls, before.of("support").mean, before.of("abstention").mean) == (3, 1.0, 1 / 3)
    assert (now.of("latency_ms").mean, now.of("error_rate").mean, now.of("rating").mean) == (7.0, 0.0, None)


async def test_people_are_counted_once_and_answers_of_a_model_have_no_support(
    database: Database, clock: ManualClock
) -> None:
    await record_answers(database, clock.now(), 4, "jo", user="jo")
    await record_answers(database, clock.now(), 2, "nobody")
    await record_answers(database, clock.now(), 1, "failed", status=502, error_type="upstream_error", report=told())
    await record_answers(database, clock.now(), 1, "cached", cache="hit")
    now, _ = await _sums(database, clock)
    assert (now.calls, now.units) == (8, 5)
    assert (now.of("support").n, now.of("abstention").n) == (0, 0)
    assert now.of("error_rate").mean == 1 / 8
    assert now.of("latency_ms").n == 6


async def test_a_model_a_collection_and_a_keys_own_calls_narrow_what_is_counted(
    database: Database, clock: ManualClock
) -> None:
    await record_answers(database, clock.now(), 2, "a", model="rag:a,b", key_id="k2")
    await record_answers(database, clock.now(), 3, "c", model="rag:ab")
    await record_answers(database, clock.now(), 4, "m", model="m")
    counts = [
        (await _sums(database, clock, scope, **wanted))[0].calls
        for scope, wanted in [
            (ACME, {"collection": "b"}),
            (ACME, {"model": "rag:ab"}),
            (Scope("acme", "k2"), {}),
            (Scope("acme", "k2"), {"model": "m"}),
            (ACME, {}),
        ]
    ]
    assert counts == [2, 3, 2, 0, 9]


async def test_a_sample_is_the_same_answers_always_and_a_smaller_one_is_within_a_larger(
    database: Database, clock: ManualClock
) -> None:
    await record_answers(database, clock.now(), 1000, "s", status=502)
    samples = []
    for percent in ("0.5", "5", "20", "100"):
        spec = _spec(sample_percent=percent)
        found = [await worst_answers(database, ACME, spec, clock.now(), "error_rate", 2000) for _ in range(2)]
        assert found[0] == found[1]
        samples.append({one.record for one in found[0]})
    assert all(small <= large for small, large in pairwise(samples))
    assert 150 < len(samples[2]) < 250
    assert len(samples[3]) == 1000


async def test_an_answer_costs_what_the_ledger_has_of_it(database: Database, clock: ManualClock) -> None:
    await record_answers(database, clock.now(), 2, "c", model="rag:a")
    await write_records(
        database,
        record_of(id="call_c0", cost_nano_usd=1_000),
        record_of(id="call_i", parent_id="call_c0", cost_nano_usd=200),
        record_of(id="call_c1", cost_nano_usd=None),
    )
    now, _ = await _sums(database, clock)
    cost = now.of("cost_usd")
    assert (cost.n, round(cost.y * 1e9)) == (1, 1_200)


async def test_the_worst_answers_come_first_and_good_ones_not_at_all(database: Database, clock: ManualClock) -> None:
    await record_answers(database, clock.now(), 3, "r")
    await record_answers(database, clock.now(), 1, "slow", ms=900)
    said = [("chatcmpl_r0", "a", -1), ("chatcmpl_r1", "a", 1), ("chatcmpl_r1", "b", -1), ("chatcmpl_r2", "a", 1)]
    async with database.write() as connection:
        await connection.execute(insert(feedback), [_rating(*one, clock.now()) for one in said])
    by_rating = await worst_answers(database, ACME, _spec(), clock.now(), "rating", 10)
    assert [(one.record, one.value) for one in by_rating] == [("chatcmpl_r0", 0.0), ("chatcmpl_r1", 0.5)]
    assert [one.record for one in await worst_answers(database, ACME, _spec(), clock.now(), "latency_ms", 1)] == [
        "chatcmpl_slow0"
    ]


async def test_a_deleted_record_is_counted_no_more(database: Database, clock: ManualClock) -> None:
    await record_answers(database, clock.now(), 3, "gone")
    async with database.write() as connection:
        await connection.execute(delete(records).where(records.c.id == "chatcmpl_gone1"))
    assert (await _sums(database, clock))[0].calls == 2
