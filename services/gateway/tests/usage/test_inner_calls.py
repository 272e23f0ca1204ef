from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from services.gateway.tests.usage.replica import KEY, NEED, Replica
from sqlalchemy import insert

from contracts.models.receipts import TokenCounts
from gateway.storage.tables import reservations, usage
from gateway.usage import inner_calls
from gateway.usage.inner_calls import InnerCalls, spent_of
from gateway.usage.records import ReservationRecord, UsageRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _known(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name, "parent_id": "call_0", "request_id": "r", "key_id": "k1", "tenant": "acme", "route": "chat",
        "model": "m", "attempt": 1, "prompt_tokens": 7, "completion_tokens": 2, "embedding_tokens": 0,
        "cost_nano_usd": 10, "started_at": NOW, **changes,
    }  # fmt: skip


def _row(name: str, **changes: Any) -> dict[str, Any]:
    ended = {"status": 200, "error_type": None, "streamed": False, "ms": 5}
    return UsageRecord(**{**_known(name), **ended, **changes}).row()


def _held(name: str, **changes: Any) -> dict[str, Any]:
    return ReservationRecord(**_known(name, **changes)).row()


def test_what_a_search_reads_counts_as_rerank_what_a_reader_does_as_reading_and_only_chats_are_attempts() -> None:
    search = _row("b", route="search", model="e", prompt_tokens=30, completion_tokens=0, embedding_tokens=20)
    read = _row("d", route="reading", prompt_tokens=40, completion_tokens=5, cost_nano_usd=0)
    spent = spent_of([_row("a"), search, _row("c", error_type="overloaded"), read], settled=True)
    assert spent.tokens == TokenCounts(prompt=14, completion=4, embedding=20, rerank=30, reading=45)
    assert [(one.model, one.outcome, one.ms) for one in spent.attempts] == [("m", "ok", 5), ("m", "overloaded", 5)]
    assert (spent.cost, spent.settled) == (30, True)


def test_what_a_tuning_job_has_learnt_is_no_rerank() -> None:
    learnt = _row("ftjob_1", route="tuning", prompt_tokens=2000, completion_tokens=0)
    spent = spent_of([_row("a"), learnt], settled=True)
    assert (spent.tokens, spent.cost) == (TokenCounts(prompt=7, completion=2), 20)


def test_nothing_costs_nothing_and_one_unknown_price_makes_the_sum_unknown() -> None:
    nothing = spent_of([], settled=True)
    assert (nothing.tokens, nothing.cost, nothing.attempts) == (TokenCounts(), 0, ())
    assert spent_of([_row("a"), _row("b", cost_nano_usd=None)], settled=True).cost is None


def test_what_is_open_counts_with_what_it_was_let_in_for_and_as_cut() -> None:
    (attempt,) = spent_of([_held("a", model=None)], settled=False).attempts
    assert (attempt.model, attempt.outcome, attempt.ms) == ("", "cut", 0)


@pytest.fixture
def calls(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> InnerCalls:
    """They wait for nobody."""
    monkeypatch.setattr(inner_calls, "SETTLED_SECONDS", 0)
    return InnerCalls(replica.database, replica.meter)


async def _write(replica: Replica, *rows: dict[str, Any], table: Any = usage) -> None:
    more = {} if table is usage else {"owner": "replica", "expires_at": NOW}
    async with replica.database.write() as connection:
        await connection.execute(insert(table), [{**row, **more} for row in rows])


async def test_only_a_keys_own_calls_inside_this_one_count_in_the_order_in_which_they_began(
    calls: InnerCalls, replica: Replica
) -> None:
    later = NOW + timedelta(seconds=1)
    await _write(
        replica,
        _row("z", model="first"),
        _row("a", model="second", started_at=later),
        _row("foreign", key_id="k2"),
        _row("elsewhere", parent_id="call_9"),
        _row("call_0", parent_id=None),
    )
    spent = await calls.spent("call_0", "k1")
    assert [one.model for one in spent.attempts] == ["first", "second"]
    assert (spent.cost, spent.settled) == (20, True)


async def test_a_reservation_whose_row_is_there_is_over_and_one_without_is_open(
    calls: InnerCalls, replica: Replica
) -> None:
    await _write(replica, _row("a", cost_nano_usd=4))
    await _write(replica, _held("a", cost_nano_usd=50), table=reservations)
    spent = await calls.spent("call_0", "k1")
    assert (spent.cost, spent.settled) == (4, True)
    await _write(replica, _held("b", cost_nano_usd=50), table=reservations)
    spent = await calls.spent("call_0", "k1")
    assert (spent.cost, spent.settled, [one.outcome for one in spent.attempts]) == (54, False, ["ok", "cut"])


async def test_a_call_that_is_open_here_is_waited_for(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inner_calls, "SETTLED_SECONDS", 60)
    calls = InnerCalls(replica.database, replica.meter)
    async with replica.meter.call(KEY, "chat", "req_1", "call_0") as call:
        await call.reserve(NEED)
        asked = asyncio.create_task(calls.spent("call_0", "k1"))
        await asyncio.sleep(0)
        call.cost = 33
    spent = await asked
    assert (spent.cost, spent.settled) == (33, True)


async def test_what_calls_of_one_name_have_used_is_theirs_and_that_of_what_was_called_for_them(
    replica: Replica, calls: InnerCalls
) -> None:
    rows = [
        _row("a", parent_id=None, request_id="eval_1.1.1.1"),
        _row("b", parent_id="a", request_id="eval_1.1.1.1", cost_nano_usd=5),
        _row("c", parent_id=None, request_id="eval_1.2.1.1", key_id="k2"),
        _row("d", parent_id=None, request_id="eval_10.1.1.1"),
        _row("e", parent_id=None, request_id="evalX1.1.1.1"),
    ]
    async with replica.database.write() as connection:
        for row in rows:
            await connection.execute(insert(usage), [row])
        held = {**_held("f", parent_id=None, request_id="eval_1.3.1.1"), "owner": "x", "expires_at": NOW}
        await connection.execute(insert(reservations), [held])
    spent = await calls.spent_for_requests("eval_1", "k1")
    assert (spent.cost, spent.settled) == (25, False)
    assert (await calls.spent_for_requests("eval_9", "k1")).cost == 0
    assert (await calls.spent_for_requests("eval_1", "k1", NOW + timedelta(seconds=1))).cost == 0
