from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from contracts.access.keys import Limits
from gateway.auth.keys import Principal
from gateway.limits.admission import Admission
from gateway.limits.budget_repository import BudgetRepository
from gateway.limits.errors import TooManyAtOnce
from gateway.limits.event_streams import EventStreams, TooManyEventStreams
from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database


@pytest.fixture
def admission(database: Database, clock: ManualClock) -> Admission:
    return Admission(MemoryLimiter(clock), BudgetRepository(database), "allow", clock)


@pytest.fixture
def streams(admission: Admission) -> EventStreams:
    return EventStreams(admission, 2)


def _key(name: str = "k1", slots: int | None = None) -> Principal:
    return Principal(name, "acme", frozenset({"agents"}), limits=Limits(concurrency=slots))


async def test_a_key_follows_so_many_streams_and_another_key_its_own(streams: EventStreams) -> None:
    async with AsyncExitStack() as open_streams:
        for _ in range(2):
            await open_streams.enter_async_context(streams.follow(_key()))
        with pytest.raises(TooManyEventStreams, match="2 event streams"):
            await open_streams.enter_async_context(streams.follow(_key()))
        await open_streams.enter_async_context(streams.follow(_key("k2")))
    async with streams.follow(_key()), streams.follow(_key()):
        pass


async def test_a_stream_that_fails_is_not_followed_any_more(streams: EventStreams) -> None:
    for _ in range(5):
        with pytest.raises(RuntimeError):
            async with streams.follow(_key()):
                raise RuntimeError
    async with streams.follow(_key()), streams.follow(_key()):
        pass


async def test_each_takes_a_slot_of_its_key_until_it_ends(streams: EventStreams, admission: Admission) -> None:
    key = _key(slots=1)
    async with streams.follow(key):
        for _ in range(3):  # a refused one takes no place of the others either
            with pytest.raises(TooManyAtOnce):
                await streams.follow(key).__aenter__()
    await admission.drain()
    async with streams.follow(key):
        pass
    await admission.drain()


async def test_nothing_is_remembered_of_keys_that_follow_nothing(streams: EventStreams) -> None:
    async with streams.follow(_key()):
        assert set(streams._open) == {"k1"}
    assert not streams._open
