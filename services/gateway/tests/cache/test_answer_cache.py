from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from contracts.models.chat import ChatRequest
from gateway.auth.keys import Principal
from gateway.cache.answer_cache import (
    AnswerCache,
    CacheControl,
    CachePolicy,
    Entry,
    Made,
    ResolvedTarget,
    is_complete,
)
from gateway.cache.memory_store import MemoryStore
from servicekit.core.clock import ManualClock

KEY = Principal("k1", "acme", frozenset({"chat"}))
WHOLE = b'{"choices":[{"message":{"content":"Hi \xc3\xa9"},"finish_reason":"stop"}]}'


def _request(**more: object) -> ChatRequest:
    return ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "hi"}], **more})


@pytest.fixture
def answer_cache(clock: ManualClock) -> AnswerCache:
    rules = CachePolicy(seconds=60, entry_bytes=1000)
    return AnswerCache(MemoryStore(clock, 10_000), rules, None, None, clock)  # type: ignore[arg-type]


async def _ask(
    answer_cache: AnswerCache,
    request: ChatRequest | None = None,
    key: Principal = KEY,
    cache_control: CacheControl = CacheControl(),  # noqa: B008  # frozen
    model: str = "m",
    policy: str = "",
    answer: bytes = WHOLE,
    target: ResolvedTarget | None = None,
    made_by: str | None = "f1",
) -> str:
    target = target or ResolvedTarget((model,), {model: "f1"})
    async with answer_cache.lookup(key, request or _request(), cache_control, target, policy) as lookup:
        if lookup.entry is not None:
            return "hit"
        lookup.record(answer)
        await answer_cache.store(lookup, Made(model, {model: made_by} if made_by else None))
        return "miss"


async def test_the_very_same_request_is_answered_again_until_its_time_is_over(
    answer_cache: AnswerCache, clock: ManualClock
) -> None:
    assert [await _ask(answer_cache) for _ in range(2)] == ["miss", "hit"]
    clock.advance(61)
    assert await _ask(answer_cache) == "miss"


async def test_nothing_is_shared_between_tenants_requests_models_or_policies(answer_cache: AnswerCache) -> None:
    assert await _ask(answer_cache) == "miss"
    other = Principal("k2", "other", frozenset({"chat"}))
    assert await _ask(answer_cache, key=other) == "miss"
    for request in (_request(seed=1), _request(stream=True), _request(user="u"), _request(min_p=0.1)):
        assert await _ask(answer_cache, request) == "miss"
    assert await _ask(answer_cache, model="other") == "miss"
    assert await _ask(answer_cache, policy="stricter") == "miss"
    assert await _ask(answer_cache, key=replace(KEY, abstain="never")) == "miss"
    assert await _ask(answer_cache) == "hit"


@pytest.mark.parametrize(
    ("header", "answers"),
    [
        ("no-store", ["miss", "miss"]),
        ("no-cache", ["miss", "miss"]),
        ("max-age=0", ["miss", "miss"]),
        ("max-age=5", ["miss", "hit"]),
        ("public", ["miss", "hit"]),
    ],
)
async def test_cache_control_is_honoured(answer_cache: AnswerCache, header: str, answers: list[str]) -> None:
    assert [await _ask(answer_cache, cache_control=CacheControl.of(header)) for _ in range(2)] == answers
    assert await _ask(answer_cache) == ("miss" if header == "no-store" else "hit")


async def test_max_age_refuses_an_older_answer_that_others_may_still_have(
    answer_cache: AnswerCache, clock: ManualClock
) -> None:
    await _ask(answer_cache)
    clock.advance(10)
    assert await _ask(answer_cache) == "hit"
    assert await _ask(answer_cache, cache_control=CacheControl.of("max-age=9")) == "miss"


async def test_an_epoch_ends_all_answers_of_a_tenant(answer_cache: AnswerCache) -> None:
    await _ask(answer_cache)
    await answer_cache.raise_epoch("other")
    assert await _ask(answer_cache) == "hit"
    await answer_cache.raise_epoch("acme")
    assert [await _ask(answer_cache) for _ in range(2)] == ["miss", "hit"]
    await answer_cache.raise_epoch(None)
    assert await _ask(answer_cache) == "miss"


@pytest.mark.parametrize(
    "answer",
    [
        b'{"choices":[{"finish_reason":"length"}]}',
        b'{"choices":[{"finish_reason":"stop"},{"finish_reason":"length"}]}',
        b'{"choices":[{"message":{"tool_calls":[{}]},"finish_reason":"stop"}]}',
        b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n',
        b'{"choices":[{"finish_reason":"stop","x":"' + b"x" * 1000 + b'"}]}',
    ],
    ids=["cut", "one-cut", "tools", "unfinished", "large"],
)
async def test_what_is_incomplete_calls_tools_or_is_large_is_not_kept(answer_cache: AnswerCache, answer: bytes) -> None:
    assert [await _ask(answer_cache, answer=answer) for _ in range(2)] == ["miss", "miss"]


def test_calls_with_tools_are_not_looked_up(answer_cache: AnswerCache) -> None:
    assert answer_cache.is_for(_request())
    assert not answer_cache.is_for(_request(tools=[{"type": "function"}]))


def test_an_entry_is_read_as_it_was_written() -> None:
    entry = Entry(1.5, "0.1", {"handbook": "b:4"}, "m", {"m": "f"}, {"X": "y"}, (WHOLE, b"data: [DONE]\n\n"))
    assert Entry.read(entry.text()) == entry
    assert is_complete([json.dumps({"choices": [{"finish_reason": "stop"}]}).encode()])


async def test_nobody_waits_for_ever_for_an_identical_call_whose_client_reads_slowly(clock: ManualClock) -> None:
    rules = CachePolicy(seconds=60, entry_bytes=1000, wait_seconds=0.01)
    answer_cache = AnswerCache(MemoryStore(clock, 10_000), rules, None, None, clock)  # type: ignore[arg-type]
    async with (
        answer_cache.lookup(KEY, _request(), CacheControl(), ResolvedTarget(("m",), {}), ""),
        asyncio.timeout(60),
    ):
        assert await _ask(answer_cache) == "miss"


def _now(fingerprint: str | None, helper: str = "e1") -> ResolvedTarget:
    return ResolvedTarget(("m",), {"m": fingerprint, "embeds": helper}, helpers=("embeds",))


async def test_an_answer_is_given_again_only_while_its_model_is_the_one_of_that_name(answer_cache: AnswerCache) -> None:
    assert await _ask(answer_cache, target=_now("f1")) == "miss"
    assert await _ask(answer_cache, target=_now("f1")) == "hit"
    assert await _ask(answer_cache, target=_now(None), made_by=None) == "miss"
    assert await _ask(answer_cache, target=_now("f1", helper="e2")) == "miss"
    assert await _ask(answer_cache, target=_now("f2"), made_by="f1") == "miss", "a replica that was behind"
    assert await _ask(answer_cache, target=_now("f2"), made_by="f2") == "miss", "that was not the answer of this model"
    assert await _ask(answer_cache, target=_now("f2")) == "hit"


async def test_nothing_is_kept_of_a_model_that_nobody_knows_for_sure(answer_cache: AnswerCache) -> None:
    assert [await _ask(answer_cache, made_by=None) for _ in range(2)] == ["miss", "miss"]
