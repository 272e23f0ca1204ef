from __future__ import annotations

import asyncio

import pytest

from gateway.routing.circuit_board import BoardUnavailable, SharedCircuit
from gateway.routing.circuit_breaker import SLOW_SAMPLES, BreakerPolicy, Breakers
from gateway.routing.memory_circuits import MemoryCircuits

RULES = BreakerPolicy(window_seconds=30, least_requests=10, failure_ratio=0.5, open_seconds=5)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Away:
    async def exchange(self, model: str, requests: int, failures: int, window_seconds: float) -> SharedCircuit:
        raise BoardUnavailable

    async def open(self, model: str, seconds: float) -> None:
        raise BoardUnavailable

    async def probe(self, model: str, seconds: float) -> bool:
        raise BoardUnavailable

    async def release(self, model: str) -> None:
        raise BoardUnavailable

    async def close(self, model: str) -> None:
        raise BoardUnavailable


@pytest.fixture
def time() -> Time:
    return Time()


def _fail(breakers: Breakers, times: int) -> None:
    for _ in range(times):
        breakers.failed("m")


async def _shared(*replicas: Breakers) -> None:
    for _ in range(3):
        await asyncio.sleep(0)  # published changes arrive
    for replica in (*replicas, *replicas):
        await replica.exchange()


async def test_a_circuit_opens_at_its_ratio_and_not_before_enough_requests(time: Time) -> None:
    breakers = Breakers(MemoryCircuits(time), RULES, time)
    _fail(breakers, 9)
    assert breakers.state("m") == "closed"
    _fail(breakers, 1)
    assert (breakers.state("m"), await breakers.allow("m")) == ("open", False)


async def test_failures_leave_the_window(time: Time) -> None:
    breakers = Breakers(MemoryCircuits(time), RULES, time)
    _fail(breakers, 9)
    time.now += 31
    _fail(breakers, 1)
    assert (breakers.state("m"), breakers.counts("m")) == ("closed", (1, 1))


async def test_replicas_add_up_what_they_see_and_share_what_they_decide(time: Time) -> None:
    board = MemoryCircuits(time)
    one, two = (Breakers(board, RULES, time) for _ in range(2))
    _fail(one, 6)
    _fail(two, 3)
    await _shared(one, two)
    assert one.counts("m") == two.counts("m") == (9, 9)
    _fail(two, 1)
    assert two.state("m") == "open"
    await _shared(one, two)
    assert (one.state("m"), await one.allow("m")) == ("open", False)


async def test_of_a_half_open_circuit_one_call_on_all_replicas_passes_and_its_success_closes_it(time: Time) -> None:
    board = MemoryCircuits(time)
    one, two = (Breakers(board, RULES, time) for _ in range(2))
    _fail(one, 10)
    two.succeeded("m", 0.1)
    await _shared(one, two)
    time.now += 5
    assert one.state("m") == two.state("m") == "half_open"
    passed = await asyncio.gather(*(replica.allow("m") for replica in (one, two) for _ in range(20)))
    assert sum(passed) == 1
    winner, other = (one, two) if passed.index(True) < 20 else (two, one)
    winner.succeeded("m", 0.1)
    await _shared(winner, other)
    assert (winner.state("m"), other.state("m")) == ("closed", "closed")


async def test_a_probe_that_fails_keeps_it_open_and_one_that_is_lost_is_followed_by_another(
    time: Time,
) -> None:
    breakers = Breakers(MemoryCircuits(time), RULES, time)
    _fail(breakers, 10)
    time.now += 5
    assert await breakers.allow("m")
    breakers.failed("m")
    await asyncio.sleep(0)
    assert (breakers.state("m"), await breakers.allow("m")) == ("open", False)
    time.now += 5
    assert await breakers.allow("m")
    assert not await breakers.allow("m")  # and this probe never reports
    time.now += 5
    assert await breakers.allow("m")


async def test_a_probe_that_tells_nothing_of_the_model_leaves_its_turn_to_the_next_call(time: Time) -> None:
    board = MemoryCircuits(time)
    one, two = (Breakers(board, RULES, time) for _ in range(2))
    _fail(one, 10)
    two.succeeded("m", 0.1)
    await _shared(one, two)
    time.now += 5
    assert await one.allow("m")
    assert not await two.allow("m")
    one.undecided("m")  # what was asked was wrong
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await two.allow("m")
    one.undecided("m")  # of a call from before; the probe is another replica's
    assert not await one.allow("m")
    two.succeeded("m", 0.1)
    assert two.state("m") == "closed"


async def test_without_the_board_a_replica_goes_by_what_it_sees(time: Time) -> None:
    breakers = Breakers(Away(), RULES, time)
    _fail(breakers, 10)
    await breakers.exchange()
    assert breakers.state("m") == "open"
    time.now += 5
    assert [await breakers.allow("m") for _ in range(2)] == [True, False]
    breakers.succeeded("m", 0.1)
    await asyncio.sleep(0)
    assert breakers.state("m") == "closed"


async def test_what_is_seen_while_the_board_does_not_answer_is_told_to_it_later(time: Time) -> None:
    board = MemoryCircuits(time)
    breakers = Breakers(board, RULES, time)
    _fail(breakers, 2)

    class Slow(Away):
        async def exchange(self, model: str, requests: int, failures: int, window_seconds: float) -> SharedCircuit:
            _fail(breakers, 3)  # calls go on while it is waited for
            raise BoardUnavailable

    breakers._board = Slow()
    await breakers.exchange()
    breakers._board = board
    await breakers.exchange()
    shared = await board.exchange("m", 0, 0, RULES.window_seconds)
    assert (shared.requests, shared.failures) == (5, 5)


async def test_a_model_much_slower_than_the_others_is_an_outlier_until_it_was_left_alone(time: Time) -> None:
    breakers = Breakers(MemoryCircuits(time), RULES, time)
    for _ in range(SLOW_SAMPLES):
        breakers.succeeded("slow", 1.0)
        breakers.succeeded("fast", 0.1)
    assert breakers.is_outlier("slow", ["fast"])
    assert not breakers.is_outlier("fast", ["slow"])
    assert not breakers.is_outlier("slow", [])
    time.now += 31
    assert not breakers.is_outlier("slow", ["fast"])
