from __future__ import annotations

import pytest

from gateway.routing.memory_circuits import MemoryCircuits
from servicekit.core.clock import ManualClock

WINDOW = 30.0


@pytest.fixture
def circuits(clock: ManualClock) -> MemoryCircuits:
    return MemoryCircuits(lambda: clock.now().timestamp())


async def test_what_replicas_tell_adds_up_by_model_and_leaves_the_window(
    circuits: MemoryCircuits, clock: ManualClock
) -> None:
    await circuits.exchange("m", 3, 1, WINDOW)
    clock.advance(10)
    told = await circuits.exchange("m", 2, 2, WINDOW)
    assert (told.requests, told.failures) == (5, 3)
    assert (await circuits.exchange("other", 0, 0, WINDOW)).requests == 0
    clock.advance(20)
    told = await circuits.exchange("m", 0, 0, WINDOW)
    assert (told.requests, told.failures) == (2, 2)


async def test_a_circuit_counts_down_while_it_is_open_and_stays_tripped_until_it_is_closed(
    circuits: MemoryCircuits, clock: ManualClock
) -> None:
    await circuits.open("m", 5)
    clock.advance(2)
    told = await circuits.exchange("m", 9, 9, WINDOW)
    assert (told.tripped, told.open_seconds) == (True, 3)
    clock.advance(60)
    told = await circuits.exchange("m", 0, 0, WINDOW)
    assert (told.tripped, told.open_seconds) == (True, 0)
    await circuits.close("m")
    await circuits.close("never seen")
    told = await circuits.exchange("m", 1, 0, WINDOW)
    assert (told.requests, told.tripped) == (1, False)


async def test_one_probes_until_it_releases_the_turn_its_time_is_over_or_the_circuit_opens_again(
    circuits: MemoryCircuits, clock: ManualClock
) -> None:
    await circuits.open("m", 5)
    assert [await circuits.probe("m", 5) for _ in range(2)] == [True, False]
    await circuits.release("m")
    assert [await circuits.probe("m", 5) for _ in range(2)] == [True, False]
    clock.advance(5)
    assert [await circuits.probe("m", 5) for _ in range(2)] == [True, False]
    await circuits.open("m", 5)
    assert await circuits.probe("m", 5)
