from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from services.gateway.tests.scripted_redis import ScriptedRedis

from gateway.routing.circuit_board import BoardUnavailable
from gateway.routing.redis_circuits import RedisCircuits, _key


def _circuits(redis: ScriptedRedis, timeout: float = 60) -> RedisCircuits:
    return RedisCircuits(cast("Redis", redis), timeout)


def test_no_models_name_is_a_pattern_or_anothers_key() -> None:
    names = ["m", "a*[b]?", "a:1", "é", "m}"]
    keys = [_key(name) for name in names]
    assert len(set(keys)) == len(names)
    assert not any(sign in key for key in keys for sign in "*[]?")
    assert all(key.count("{") == key.count("}") == 1 for key in keys), "one slot of a cluster"


@pytest.mark.parametrize(("answer", "drawn"), [(True, True), (None, False)])
async def test_a_probe_is_drawn_by_the_first_who_asks_and_ends_by_itself(answer: Any, drawn: bool) -> None:
    redis = ScriptedRedis(answer)
    assert await _circuits(redis).probe("m", 2.5) is drawn
    assert redis.asked == [("set", (f"{_key('m')}:probe", 1), {"nx": True, "px": 2500})]


async def test_a_probe_that_told_nothing_leaves_its_turn_to_another() -> None:
    redis = ScriptedRedis(1)
    await _circuits(redis).release("m")
    assert redis.asked == [("delete", (f"{_key('m')}:probe",), {})]


@pytest.mark.parametrize("failure", [RedisError("x"), ConnectionError("x"), TimeoutError(), asyncio.Event()])
async def test_a_redis_that_fails_or_does_not_answer_in_time_is_away(failure: Any) -> None:
    timeout = 0 if isinstance(failure, asyncio.Event) else 60
    boards = [_circuits(ScriptedRedis(failure), timeout) for _ in range(3)]
    calls = boards[0].exchange("m", 1, 1, 30), boards[1].probe("m", 5), boards[2].release("m")
    for call in calls:
        with pytest.raises(BoardUnavailable):
            await call
