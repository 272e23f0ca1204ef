from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from services.gateway.tests.scripted_redis import ScriptedRedis

from gateway.cache.redis_store import PREFIX, RedisStore
from gateway.cache.store import StoreUnavailable


def _store(redis: ScriptedRedis, timeout: float = 60) -> RedisStore:
    return RedisStore(cast("Redis", redis), timeout, 1000)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([None, None, None], (None, "0.0")),
        (["text", "2", None], ("text", "2.0")),
        (["", "2", "3"], ("", "2.3")),
    ],
)
async def test_an_answer_comes_with_the_epochs_of_all_and_of_its_tenant(
    values: list[str | None], found: tuple[str | None, str]
) -> None:
    redis = ScriptedRedis(values)
    assert await _store(redis).get("a", "acme") == found
    assert redis.asked == [("mget", ([f"{PREFIX}:a:a", f"{PREFIX}:epoch", f"{PREFIX}:epoch:acme"],), {})]


async def test_an_answer_is_kept_with_its_size_in_bytes_beside_what_all_may_take() -> None:
    redis = ScriptedRedis(1)
    await _store(redis).put("a", "é", 1.5)
    assert redis.asked[0][2]["args"][:5] == ["é", "a", 2, 1500, 1000]
    assert all(key.startswith(PREFIX) for key in redis.asked[0][2]["keys"]), "one slot of a cluster"


async def test_the_epoch_of_all_is_another_than_that_of_any_tenant() -> None:
    redis = ScriptedRedis(1, 1)
    for tenant in ("acme", None):
        await _store(redis).raise_epoch(tenant)
    assert [given for _, given, _ in redis.asked] == [(f"{PREFIX}:epoch:acme",), (f"{PREFIX}:epoch",)]


async def test_a_claim_is_the_first_ones_and_always_ends() -> None:
    redis = ScriptedRedis(True, None)
    store = _store(redis)
    assert [await store.claim("a", "me", 0.0001), await store.claim("a", "other", 5)] == [True, False]
    assert [(options["nx"], options["px"]) for _, _, options in redis.asked] == [(True, 1), (True, 5000)]


async def test_answers_of_a_tenant_are_dropped_to_the_last_with_its_epoch() -> None:
    redis = ScriptedRedis((5, [("t-1", 9.0)]), 1, (0, [("t-2", 9.0)]), 1, 1)
    await _store(redis).delete("t-", "acme")
    assert [options["args"][0] for command, _, options in redis.asked if command == "script"] == ["t-1", "t-2"]
    assert redis.asked[-1] == ("delete", (f"{PREFIX}:epoch:acme",), {})


@pytest.mark.parametrize("failure", [RedisError("x"), ConnectionError("x"), TimeoutError(), asyncio.Event()])
async def test_a_redis_that_fails_or_does_not_answer_in_time_is_away(failure: Any) -> None:
    timeout = 0 if isinstance(failure, asyncio.Event) else 60
    with pytest.raises(StoreUnavailable):
        await _store(ScriptedRedis(failure), timeout).get("a", "acme")
