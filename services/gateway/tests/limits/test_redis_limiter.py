from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from services.gateway.tests.scripted_redis import ScriptedRedis

from gateway.limits.limiter import Gate, GateState, LimiterUnavailable, Settlement, Verdict, period_of
from gateway.limits.redis_limiter import RedisLimiter

REQUESTS, TOKENS = Gate("requests", "key", "k1", 5), Gate("tokens", "tenant", "acme", 100)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Gate("budget", "key", "k1", 9, period_of("day", NOW))
MONTH = Gate("budget", "key", "k1", 9, period_of("month", NOW))


def _limiter(redis: ScriptedRedis, timeout: float = 60) -> RedisLimiter:
    return RedisLimiter(cast("Redis", redis), timeout)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("0 1 0 60000000 30 0 1500000", Verdict(None, (GateState(1, 0, 60), GateState(30, 0, 1.5)))),
        ("2 1 0 0 99 500000 0", Verdict(1, (GateState(1, 0, 0), GateState(99, 0.5, 0)))),
        ("-1 1 0 0 -1 0 0", Verdict(None, (GateState(1, 0, 0), GateState(-1, 0, 0)), (1,))),
    ],
)
async def test_a_verdict_is_read_as_the_script_tells_it(answer: str, verdict: Verdict) -> None:
    assert await _limiter(ScriptedRedis(answer)).reserve("a", [REQUESTS, TOKENS], [1, 30]) == verdict


async def test_all_that_one_script_touches_lies_in_one_slot_of_a_cluster() -> None:
    redis = ScriptedRedis("0 1 0 0 30 0 0")
    await _limiter(redis).reserve("a", [REQUESTS, TOKENS], [1, 30])
    ((_, _, given),) = redis.asked
    assert len(given["keys"]) == 3, "tokens have a second one"
    assert {key.partition("}")[0] for key in given["keys"]} == {"{groundwork-limits"}
    assert given["args"] == ["a", 60_000_000, 30_000_000, "requests", 5, 1, "tokens", 100, 30]


async def test_a_request_that_was_let_in_stays_used_and_nobody_is_asked_about_it() -> None:
    redis = ScriptedRedis("")
    limiter = _limiter(redis)
    assert await limiter.settle(Settlement("a", 0, 0), [REQUESTS]) == []
    assert redis.asked == []
    assert await limiter.settle(Settlement("a", 0, 0, refused=True), [REQUESTS]) == []
    assert len(redis.asked) == 1


async def test_budgets_tell_what_is_spent_and_which_alerts_are_new_and_unknown_ones_nothing() -> None:
    redis = ScriptedRedis("900 1 0 -1 0 0")
    spent = await _limiter(redis).settle(Settlement("a", 7, 50), [REQUESTS, TOKENS, DAY, MONTH])
    assert [(one.gate, one.nano_usd, one.passed) for one in spent] == [(DAY, 900, (80,))]
    args = redis.asked[0][2]["args"]
    assert args == ["a", "", "tokens", 7, 100, "budget", 50, 9, "budget", 50, 9]


async def test_an_attempt_that_was_never_charged_is_told_with_the_moment_at_which_it_began() -> None:
    redis = ScriptedRedis("0 0 0")
    await _limiter(redis).settle(Settlement("a", 0, 5, datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)), [DAY])
    assert redis.asked[0][2]["args"][1] == 2_000_000


async def test_a_balance_is_known_with_its_spending_only() -> None:
    known = {"spent": "70", "held": "30", "h:a": "10", "h:b": "20", "alert80": "1"}
    redis = ScriptedRedis(known, {"held": "5"}, {})
    limiter = _limiter(redis)
    balance = await limiter.get_balance(DAY)
    assert balance is not None
    assert (balance.spent, balance.reserved) == (70, {"a": 10, "b": 20})
    assert [await limiter.get_balance(DAY) for _ in range(2)] == [None, None]


async def test_counters_are_looked_for_to_the_last() -> None:
    redis = ScriptedRedis((7, []), (0, ["x"]), 1, (0, []))
    await _limiter(redis).delete_counters([("tenant", "acme")])
    patterns = [options["match"] for command, _, options in redis.asked if command == "scan"]
    exact, periods = "{groundwork-limits}:*:tenant:acme", "{groundwork-limits}:*:tenant:acme:*"
    assert patterns == [exact, exact, periods]
    assert ("delete", ("x",), {}) in redis.asked


@pytest.mark.parametrize("failure", [RedisError("x"), ConnectionError("x"), TimeoutError(), asyncio.Event()])
async def test_a_redis_that_fails_or_does_not_answer_in_time_is_away(failure: Any) -> None:
    with pytest.raises(LimiterUnavailable):
        await _limiter(ScriptedRedis(failure), timeout=0 if isinstance(failure, asyncio.Event) else 60).reserve(
            "a", [REQUESTS], [1]
        )


async def test_an_answer_that_came_while_the_process_was_busy_counts() -> None:
    limiter = _limiter(ScriptedRedis(), timeout=0.05)
    came = asyncio.get_running_loop().create_future()

    async def asked() -> str:
        await came
        await asyncio.sleep(0)  # what was received is read step by step
        await asyncio.sleep(0)
        return "read"

    def be_busy() -> None:
        time.sleep(0.3)
        came.set_result(None)

    waiting = asyncio.create_task(limiter._bounded(asked()))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(be_busy)
    assert await waiting == "read"
