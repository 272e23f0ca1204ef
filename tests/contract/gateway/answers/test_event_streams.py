"""Event streams are bounded by key, and end with what the key may do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, eventually, running_gateway

from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import SystemClock

EVENTS = "/v1/jobs/endless/events"
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    limiter = MemoryLimiter(SystemClock())
    async with running_gateway(tmp_path, limiter=limiter, event_streams_per_key=3) as running:
        yield running


async def _follow(gateway: RunningGateway, key: str, stack: AsyncExitStack) -> aiohttp.ClientResponse:
    """An event stream that goes on until the stack ends."""
    call = gateway.session.get(gateway.url + EVENTS, headers={"Authorization": f"Bearer {key}"})
    answer = await stack.enter_async_context(call)
    if answer.status == 200:
        await answer.content.readany()
    return answer


async def test_a_stream_takes_one_of_its_keys_places_and_gives_it_back_however_it_ends(gateway: RunningGateway) -> None:
    key = (await gateway.new_key(limits={"concurrency": 1}))["secret"]
    for _ in range(2):
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (await _follow(gateway, key, stack)).status != 200:  # the one before has just left
                    pass
            refused = await _follow(gateway, key, stack)
            assert (refused.status, (await refused.json())["error"]["code"]) == (429, "key_concurrency")
            assert refused.headers["Retry-After"] == "1"
            body = {"model": "echo", "messages": HELLO}
            assert (await gateway.call("POST", "/v1/chat/completions", key, json=body)).status == 429


async def test_a_key_without_limits_follows_a_bounded_number_too(gateway: RunningGateway) -> None:
    key, other = [(await gateway.new_key())["secret"] for _ in range(2)]
    async with AsyncExitStack() as stack:
        statuses = [(await _follow(gateway, key, stack)).status for _ in range(3)]
        refused = await _follow(gateway, key, stack)
        assert (statuses, refused.status) == ([200, 200, 200], 429)
        error = (await refused.json())["error"]
        assert (error["code"], refused.headers["Retry-After"]) == ("too_many_event_streams", "1")
        assert "3 event streams" in error["message"]
        assert (await _follow(gateway, other, stack)).status == 200
    await eventually(lambda: not gateway.deps.streams._open)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"scopes": ["search"]}, "key_narrowed"), ({"collections": ["handbook"]}, "key_narrowed")],
)
async def test_a_key_that_may_do_less_ends_what_streams_to_it(
    gateway: RunningGateway, change: dict[str, object], code: str
) -> None:
    created = await gateway.new_key()
    async with AsyncExitStack() as stack:
        answer = await _follow(gateway, created["secret"], stack)
        wider = {"scopes": ["chat", "documents", "search", "agents"]}
        for patch in (wider, change):
            assert (await gateway.call("PATCH", f"/v1/keys/{created['id']}", json=patch)).status == 200
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert f'"code":"{code}"' in (await answer.text())
