from __future__ import annotations

import pytest

from gateway.limits.limiter import BudgetBalance, Gate, GateKind, Settlement, period_of
from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import ManualClock


@pytest.fixture
def limiter(clock: ManualClock) -> MemoryLimiter:
    return MemoryLimiter(clock)


def _gate(kind: GateKind, limit: int, name: str = "k1") -> Gate:
    return Gate(kind, "key", name, limit)


@pytest.fixture
def budget(clock: ManualClock) -> Gate:
    return Gate("budget", "key", "k1", 100, period_of("day", clock.now()))


async def test_all_gates_are_looked_at_before_any_is_charged(limiter: MemoryLimiter) -> None:
    gates = [_gate("requests", 5), _gate("tokens", 10), _gate("concurrency", 1)]
    refused = await limiter.reserve("a", gates, [1, 11, 1])
    assert (refused.refused, [state.used for state in refused.gates]) == (1, [0, 0, 0])
    passed = await limiter.reserve("b", gates, [1, 10, 1])
    assert (passed.refused, [state.used for state in passed.gates]) == (None, [1, 10, 1])


async def test_a_refused_call_waits_until_enough_has_left_the_window(
    limiter: MemoryLimiter, clock: ManualClock
) -> None:
    gate = _gate("tokens", 10)
    for attempt_id, amount in (("a", 2), ("b", 3), ("c", 5)):
        await limiter.reserve(attempt_id, [gate], [amount])
        clock.advance(10)
    (state,) = (await limiter.reserve("d", [gate], [4])).gates
    assert (state.retry_seconds, state.reset_seconds) == (40, 50)  # a and b are gone then; c as the last
    clock.advance(40)
    assert (await limiter.reserve("d", [gate], [4])).refused is None


async def test_what_was_used_takes_the_place_of_what_was_reserved(limiter: MemoryLimiter) -> None:
    gates = [_gate("tokens", 10), _gate("concurrency", 1), _gate("requests", 5)]
    await limiter.reserve("a", gates, [10, 1, 1])
    await limiter.settle(Settlement("a", 4, 0), gates)
    passed = await limiter.reserve("b", gates, [6, 1, 1])
    assert (passed.refused, [state.used for state in passed.gates]) == (None, [10, 1, 2])
    await limiter.settle(Settlement("b", 6, 0, refused=True), gates)
    assert (await limiter.reserve("c", gates[2:], [1])).gates[0].used == 2


async def test_a_slot_that_is_renewed_is_kept_and_one_that_was_settled_does_not_come_back(
    limiter: MemoryLimiter, clock: ManualClock
) -> None:
    gate = _gate("concurrency", 1)
    await limiter.reserve("a", [gate], [1])
    clock.advance(29)
    await limiter.renew([("a", [gate])])
    clock.advance(29)
    assert (await limiter.reserve("b", [gate], [1])).refused == 0
    await limiter.settle(Settlement("a", 0, 0), [gate])
    await limiter.renew([("a", [gate])])
    assert (await limiter.reserve("b", [gate], [1])).refused is None


async def test_a_budget_that_is_not_known_is_asked_for_and_nothing_is_charged(
    limiter: MemoryLimiter, budget: Gate
) -> None:
    gates = [_gate("requests", 5), budget]
    assert (await limiter.reserve("a", gates, [1, 10])).unloaded == (1,)
    assert await limiter.get_balance(budget) is None
    await limiter.load(budget, BudgetBalance(50, {"other": 20}))
    await limiter.load(budget, BudgetBalance(0, {}))  # a second replica that read earlier
    verdict = await limiter.reserve("a", gates, [1, 30])
    assert (verdict.refused, [state.used for state in verdict.gates]) == (None, [1, 100])
    assert await limiter.get_balance(budget) == BudgetBalance(50, {"other": 20, "a": 30})


async def test_a_limit_that_is_full_is_told_before_a_budget_that_is_not_known(
    limiter: MemoryLimiter, budget: Gate
) -> None:
    verdict = await limiter.reserve("a", [_gate("requests", 1), budget], [2, 1])
    assert (verdict.refused, verdict.unloaded) == (0, ())


async def test_a_budget_is_charged_once_for_an_attempt_and_each_alert_is_told_once(
    limiter: MemoryLimiter, budget: Gate
) -> None:
    await limiter.load(budget, BudgetBalance(70, {}))
    await limiter.reserve("a", [budget], [10])
    told = [(await limiter.settle(Settlement("a", 0, 10), [budget]))[0] for _ in range(2)]
    assert [(spent.nano_usd, spent.passed) for spent in told] == [(80, (80,)), (80, ())]
    await limiter.reserve("b", [budget], [20])
    (spent,) = await limiter.settle(Settlement("b", 0, 25), [budget])
    assert (spent.nano_usd, spent.passed) == (105, (100,))


async def test_an_attempt_of_while_it_was_away_is_charged_only_to_a_budget_that_it_has_known_since_before(
    limiter: MemoryLimiter, budget: Gate, clock: ManualClock
) -> None:
    before = clock.now()
    clock.advance(1)
    await limiter.load(budget, BudgetBalance(0, {}))  # the ledger, which this was made from, has the attempt
    await limiter.settle(Settlement("a", 0, 10, before), [budget])
    clock.advance(1)
    await limiter.settle(Settlement("b", 0, 20, clock.now()), [budget])
    assert await limiter.get_balance(budget) == BudgetBalance(20, {})


async def test_a_budget_is_corrected_only_as_it_was_seen_and_while_nothing_runs(
    limiter: MemoryLimiter, budget: Gate
) -> None:
    assert not await limiter.correct(budget, 0, 5)
    await limiter.load(budget, BudgetBalance(10, {"a": 1}))
    assert not await limiter.correct(budget, 10, 5)
    await limiter.settle(Settlement("a", 0, 0), [budget])
    assert not await limiter.correct(budget, 9, 5)
    assert await limiter.correct(budget, 10, 5)
    assert await limiter.get_balance(budget) == BudgetBalance(5, {})


async def test_counters_are_dropped_of_who_is_named_and_of_nobody_whose_name_begins_so(
    limiter: MemoryLimiter, budget: Gate
) -> None:
    mine, other = _gate("requests", 5), _gate("requests", 5, "k11")
    await limiter.reserve("a", [mine, other], [1, 1])
    await limiter.load(budget, BudgetBalance(1, {}))
    await limiter.delete_counters([("key", "k1")])
    assert await limiter.get_balance(budget) is None
    verdict = await limiter.reserve("b", [mine, other], [1, 1])
    assert [state.used for state in verdict.gates] == [1, 2]


async def test_a_clock_that_goes_back_shuts_nobody_out_for_longer_than_a_window(
    limiter: MemoryLimiter, clock: ManualClock
) -> None:
    gate = _gate("requests", 1)
    await limiter.reserve("a", [gate], [1])
    clock.advance(-3600)
    assert (await limiter.reserve("b", [gate], [1])).refused == 0
    clock.advance(60)
    assert (await limiter.reserve("c", [gate], [1])).refused is None
