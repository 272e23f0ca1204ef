"""Signing a browser in over HTTP, as a page does it: cookies as browsers keep them, streams, uploads, two replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.support.gateway.running import RunningGateway, running_gateway
from yarl import URL

from gateway.limits.memory_limiter import MemoryLimiter
from servicekit.core.clock import SystemClock

CHAT = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock())) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps cookies of loopback addresses, too, as browsers do."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def _sign_in(browser: aiohttp.ClientSession, gateway: RunningGateway, secret: str) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {secret}"}
    async with browser.post(f"{gateway.url}/v1/session", headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return {"X-CSRF-Token": (await answer.json())["session"]["csrf_token"]}


async def _code(answer: aiohttp.ClientResponse) -> str:
    return str((await answer.json())["error"]["code"])


async def test_calls_of_every_kind_are_let_in_by_the_cookie_and_charged_to_its_key(
    gateway: RunningGateway, browser: aiohttp.ClientSession
) -> None:
    key = await gateway.new_key()
    csrf = await _sign_in(browser, gateway, key["secret"])
    async with browser.get(f"{gateway.url}/v1/models") as answer:
        assert answer.status == 200
    async with browser.post(f"{gateway.url}/v1/chat/completions", json=CHAT) as answer:
        assert (answer.status, await _code(answer)) == (403, "csrf_token")
    async with browser.post(
        f"{gateway.url}/v1/chat/completions", json={**CHAT, "stream": True}, headers=csrf
    ) as answer:
        assert "[DONE]" in await answer.text()
    rows = await gateway.usage_rows(1, key["id"])
    assert [row["route"] for row in rows] == ["chat"]


async def test_a_session_of_one_replica_is_known_to_another_and_its_end_too(
    gateway: RunningGateway, browser: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock())) as other:
        csrf = await _sign_in(browser, gateway, gateway.admin_key)
        async with browser.get(f"{other.url}/v1/me") as answer:
            assert (answer.status, (await answer.json())["session"]["csrf_token"]) == (200, csrf["X-CSRF-Token"])
        cookies = browser.cookie_jar.filter_cookies(URL(other.url))
        async with browser.delete(f"{gateway.url}/v1/session", headers=csrf) as answer:
            assert answer.status == 204
        assert not list(browser.cookie_jar), "the cookie is gone"
        browser.cookie_jar.update_cookies(cookies)
        async with asyncio.timeout(60):
            while True:
                async with browser.get(f"{other.url}/v1/me") as answer:
                    if answer.status != 200:
                        assert await _code(answer) == "session_ended"
                        return


async def test_a_revoked_key_ends_its_sessions(gateway: RunningGateway, browser: aiohttp.ClientSession) -> None:
    key = await gateway.new_key()
    await _sign_in(browser, gateway, key["secret"])
    await gateway.call("DELETE", f"/v1/keys/{key['id']}")
    async with browser.get(f"{gateway.url}/v1/models") as answer:
        assert (answer.status, await _code(answer)) == (401, "key_revoked")


async def test_a_page_of_another_port_can_not_use_the_session(
    gateway: RunningGateway, browser: aiohttp.ClientSession
) -> None:
    csrf = await _sign_in(browser, gateway, gateway.admin_key)
    foreign = {**csrf, "Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:3000"}
    async with browser.post(f"{gateway.url}/v1/chat/completions", json=CHAT, headers=foreign) as answer:
        assert (answer.status, await _code(answer)) == (403, "foreign_origin")


async def test_the_console_is_served_beside_the_api(gateway: RunningGateway, browser: aiohttp.ClientSession) -> None:
    async with browser.get(f"{gateway.url}/", headers={"Accept": "text/html"}) as answer:
        assert (str(answer.url), answer.status) == (f"{gateway.url}/console/", 200)
        assert "app/main.js" in await answer.text()
    async with browser.head(f"{gateway.url}/console/") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
