from __future__ import annotations

import pytest

from gateway.cache.memory_store import MemoryStore
from servicekit.core.clock import ManualClock

MOST = 10


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock, MOST)


async def _kept(store: MemoryStore, *names: str) -> list[str | None]:
    return [(await store.get(name, "acme"))[0] for name in names]


async def test_an_answer_is_kept_for_its_time_and_not_a_moment_longer(store: MemoryStore, clock: ManualClock) -> None:
    await store.put("a", "one", 10)
    clock.advance(9.9)
    assert await _kept(store, "a", "never") == ["one", None]
    clock.advance(0.1)
    assert await _kept(store, "a") == [None]


async def test_what_expires_first_makes_room_and_bytes_are_counted_and_not_characters(store: MemoryStore) -> None:
    await store.put("long", "12345", 100)
    await store.put("short", "12345", 10)
    await store.put("new", "éé", 50)
    assert await _kept(store, "long", "short", "new") == ["12345", None, "éé"]


async def test_an_answer_takes_the_place_of_the_one_of_its_name_and_needs_no_other_room(store: MemoryStore) -> None:
    await store.put("a", "12345", 10)
    await store.put("b", "12345", 10)
    await store.put("a", "54321", 10)
    assert await _kept(store, "a", "b") == ["54321", "12345"]


async def test_what_is_over_makes_room_before_anything_that_still_counts(
    store: MemoryStore, clock: ManualClock
) -> None:
    await store.put("over", "12345", 1)
    await store.put("good", "1234", 100)
    clock.advance(2)
    await store.put("new", "123456", 100)
    assert await _kept(store, "good", "new") == ["1234", "123456"]


async def test_a_tenants_epoch_and_that_of_all_are_told_apart(store: MemoryStore) -> None:
    await store.raise_epoch("acme")
    (_, mine), (_, other) = await store.get("a", "acme"), await store.get("a", "other")
    assert mine != other
    await store.raise_epoch(None)
    assert {(await store.get("a", name))[1] for name in ("acme", "other")}.isdisjoint({mine, other})


async def test_deleting_takes_what_begins_so_and_no_other_tenants(store: MemoryStore) -> None:
    await store.put("t1-a", "x", 10)
    await store.put("t2-a", "y", 10)
    await store.raise_epoch("acme")
    await store.delete("t1-", "acme")
    assert await _kept(store, "t1-a", "t2-a") == [None, "y"]
    assert (await store.get("t1-a", "acme"))[1] == (await store.get("t1-a", "new"))[1]


async def test_one_claims_a_work_until_it_releases_it_or_its_time_is_over(
    store: MemoryStore, clock: ManualClock
) -> None:
    assert await store.claim("a", "first", 5)
    assert not await store.claim("a", "second", 5)
    assert await store.claim("b", "second", 5)
    await store.release("a", "second")  # not its own
    assert not await store.claim("a", "second", 5)
    await store.release("a", "first")
    assert await store.claim("a", "second", 5)
    clock.advance(5)
    assert await store.claim("a", "third", 5)
    await store.release("never claimed", "third")
