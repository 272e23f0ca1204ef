from __future__ import annotations

import asyncio
import json

import pytest

from contracts.chat import ChatRequest
from gateway.auth.keys import Principal
from gateway.cache.answer_cache import CacheRules, Caching, Entry, Meaning, Wish, is_complete
from gateway.cache.memory_store import MemoryCache
from servicekit.core.clock import ManualClock

KEY = Principal("k1", "acme", frozenset({"chat"}))
WHOLE = b'{"choices":[{"message":{"content":"Hi \xc3\xa9"},"finish_reason":"stop"}]}'


def _request(**more: object) -> ChatRequest:
    return ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "hi"}], **more})


@pytest.fixture
def caching(clock: ManualClock) -> Caching:
    rules = CacheRules(seconds=60, entry_bytes=1000)
    return Caching(MemoryCache(clock, 10_000), rules, None, None, clock)  # type: ignore[arg-type]


async def _ask(
    caching: Caching,
    request: ChatRequest | None = None,
    key: Principal = KEY,
    wish: Wish = Wish(),  # noqa: B008  # frozen
    model: str = "m",
    policy: str = "",
    answer: bytes = WHOLE,
) -> str:
    async with caching.lookup(key, request or _request(), wish, Meaning((model,)), policy) as lookup:
        if lookup.entry is not None:
            return "hit"
        lookup.record(answer)
        await caching.keep(lookup, model, None)
        return "miss"


async def test_the_very_same_request_is_answered_again_until_its_time_is_over(
    caching: Caching, clock: ManualClock
) -> None:
    assert [await _ask(caching) for _ in range(2)] == ["miss", "hit"]
    clock.advance(61)
    assert await _ask(caching) == "miss"


async def test_nothing_is_shared_between_tenants_requests_models_or_policies(caching: Caching) -> None:
    assert await _ask(caching) == "miss"
    other = Principal("k2", "other", frozenset({"chat"}))
    assert await _ask(caching, key=other) == "miss"
    for request in (_request(seed=1), _request(stream=True), _request(user="u"), _request(min_p=0.1)):
        assert await _ask(caching, request) == "miss"
    assert await _ask(caching, model="other") == "miss"
    assert await _ask(caching, policy="stricter") == "miss"
    assert await _ask(caching) == "hit"


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
async def test_cache_control_is_honoured(caching: Caching, header: str, answers: list[str]) -> None:
    assert [await _ask(caching, wish=Wish.of(header)) for _ in range(2)] == answers
    assert await _ask(caching) == ("miss" if header == "no-store" else "hit")


async def test_max_age_refuses_an_older_answer_that_others_may_still_have(caching: Caching, clock: ManualClock) -> None:
    await _ask(caching)
    clock.advance(10)
    assert await _ask(caching) == "hit"
    assert await _ask(caching, wish=Wish.of("max-age=9")) == "miss"


async def test_an_epoch_ends_all_answers_of_a_tenant(caching: Caching) -> None:
    await _ask(caching)
    await caching.raise_epoch("other")
    assert await _ask(caching) == "hit"
    await caching.raise_epoch("acme")
    assert [await _ask(caching) for _ in range(2)] == ["miss", "hit"]
    await caching.raise_epoch(None)
    assert await _ask(caching) == "miss"


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
async def test_what_is_incomplete_calls_tools_or_is_large_is_not_kept(caching: Caching, answer: bytes) -> None:
    assert [await _ask(caching, answer=answer) for _ in range(2)] == ["miss", "miss"]


def test_calls_with_tools_are_not_looked_up(caching: Caching) -> None:
    assert caching.is_for(_request())
    assert not caching.is_for(_request(tools=[{"type": "function"}]))


def test_an_entry_is_read_as_it_was_written() -> None:
    entry = Entry(1.5, "0.1", {"handbook": "b:4"}, "m", (WHOLE, b"data: [DONE]\n\n"))
    assert Entry.read(entry.text()) == entry
    assert is_complete([json.dumps({"choices": [{"finish_reason": "stop"}]}).encode()])


async def test_nobody_waits_for_ever_for_an_identical_call_whose_client_reads_slowly(clock: ManualClock) -> None:
    rules = CacheRules(seconds=60, entry_bytes=1000, wait_seconds=0.01)
    caching = Caching(MemoryCache(clock, 10_000), rules, None, None, clock)  # type: ignore[arg-type]
    async with caching.lookup(KEY, _request(), Wish(), Meaning(("m",)), ""), asyncio.timeout(10):
        assert await _ask(caching) == "miss"
