from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.auth.errors import SessionEnded, SessionTokenUsed
from gateway.auth.session_repository import MOST_OF_A_KEY, SessionRepository
from gateway.storage.tables import sessions
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

HOUR = timedelta(hours=1)


async def test_a_key_has_so_many_sessions_and_the_one_that_ends_first_goes(
    database: Database, clock: ManualClock
) -> None:
    repository = SessionRepository(database, clock)
    await repository.create("other", "another-key", HOUR)
    await repository.create("token", "key", HOUR, once=True)
    for number in range(MOST_OF_A_KEY + 1):
        await repository.create(f"s{number}", "key", HOUR)
        clock.advance(1)
    with pytest.raises(SessionEnded):
        await repository.get_session("s0")
    assert (await repository.get_session("s1")).key_hash == "key"
    assert (await repository.get_session("other")).key_hash == "another-key"
    assert await repository.take_token("token") == "key"


async def test_sessions_that_are_over_go_when_the_key_begins_another(database: Database, clock: ManualClock) -> None:
    repository = SessionRepository(database, clock)
    await repository.create("old", "key", HOUR)
    clock.advance(3600)
    await repository.create("new", "key", HOUR)
    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(sessions))).scalar_one() == 1


async def test_a_token_is_no_session_and_a_session_no_token(database: Database, clock: ManualClock) -> None:
    repository = SessionRepository(database, clock)
    await repository.create("t", "key", HOUR, once=True)
    await repository.create("s", "key", HOUR)
    with pytest.raises(SessionEnded):
        await repository.get_session("t")
    with pytest.raises(SessionTokenUsed):
        await repository.take_token("s")
    assert (await repository.get_token("t")).key_hash == "key"
    assert await repository.take_token("t") == "key"
    with pytest.raises(SessionTokenUsed):
        await repository.get_token("t")
