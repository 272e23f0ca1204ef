from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from libs.servicekit.tests.databases import new_database
from sqlalchemy import MetaData

from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database
from servicekit.web.idempotency import (
    CallKey,
    IdempotencyMismatch,
    IdempotencyRunning,
    InvalidIdempotencyKey,
    StoredAnswer,
    StoredAnswers,
    fingerprint,
    idempotency_table,
)

METADATA = MetaData()
ANSWERS = StoredAnswers(idempotency_table(METADATA))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with new_database(tmp_path, METADATA) as opened:
        yield opened


CALL = CallKey("key", "POST /v1/things", "once")


async def _begin(
    database: Database, clock: ManualClock, print_: str = "a", call: CallKey = CALL
) -> StoredAnswer | None:
    async with database.write() as connection:
        return await ANSWERS.begin(connection, call, print_, clock.now())


async def _finish(database: Database) -> None:
    async with database.write() as connection:
        await ANSWERS.finish(connection, CALL, StoredAnswer(201, "{}"))


async def test_the_first_call_runs_and_later_ones_get_its_answer(database: Database, clock: ManualClock) -> None:
    assert await _begin(database, clock) is None
    with pytest.raises(IdempotencyRunning) as running:
        await _begin(database, clock)
    assert running.value.headers() == {"Retry-After": "2"}
    await _finish(database)
    assert await _begin(database, clock) == StoredAnswer(201, "{}")
    with pytest.raises(IdempotencyMismatch):
        await _begin(database, clock, "b")
    assert await _begin(database, clock, "b", CallKey("other-key", CALL.route, CALL.key)) is None


async def test_of_two_calls_at_once_one_runs(database: Database, clock: ManualClock) -> None:
    results = await asyncio.gather(*(_begin(database, clock) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == [*["IdempotencyRunning"] * 4, "NoneType"]


async def test_a_call_that_died_may_be_repeated_and_an_old_answer_is_forgotten(
    database: Database, clock: ManualClock
) -> None:
    await _begin(database, clock)
    clock.advance(61)
    assert await _begin(database, clock) is None
    await _finish(database)
    clock.advance(24 * 3600 + 1)
    assert await _begin(database, clock, "b") is None


async def test_a_failed_call_may_be_repeated_at_once(database: Database, clock: ManualClock) -> None:
    await _begin(database, clock)
    async with database.write() as connection:
        await ANSWERS.abandon(connection, CALL)
    assert await _begin(database, clock) is None


@pytest.mark.parametrize("key", ["", "x" * 201, "new\nline", "ünicode"])
def test_a_key_must_be_short_printable_ascii(key: str) -> None:
    with pytest.raises(InvalidIdempotencyKey):
        CallKey("key", "route", key)


def test_fingerprints_do_not_depend_on_the_order_of_fields() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 3})


def test_a_route_with_a_long_name_fits_its_column_and_stays_apart_from_others_like_it() -> None:
    name = "t" * 198
    routes = {CallKey("key", f"POST /v1/threads/{name}{end}/runs", "once").route for end in ("a", "b")}
    assert len(routes) == 2
    assert {len(route) for route in routes} == {200}
