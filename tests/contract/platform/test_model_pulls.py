"""A model that is pulled through the public API, with the real inference service and a hub on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from tests.support.gateway.running import RunningGateway, running_gateway
from tests.support.inference.hub import FakeHub
from tests.support.inference.running import CHAT, EMBEDDING, serving, settings_for

from inference.bootstrap import create_app as inference_app

ASKED = {"model": "far", "source": {"huggingface": "org/tiny", "file": "m.gguf"}}
DEADLINE_SECONDS = 120


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    hub = FakeHub({"m.gguf": b"GGUF" * 9})
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(hub.app))
        (inner := tmp_path / "inference").mkdir()
        settings = settings_for(inner, [CHAT, EMBEDDING], hub_url=url, hub_dir=inner / "hub")
        settings = settings.model_copy(update={"delegation_public_key_file": tmp_path / "d.pub"})
        inference_url = await stack.enter_async_context(serving(inference_app(settings)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"{inference_url}/healthz"):
            pass  # it has begun: Alembic brings one schema up to date at a time in a process
        running = await stack.enter_async_context(running_gateway(tmp_path, inference_url=inference_url))
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await running.call("GET", "/v1/models/words")).status != 200:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.05)
        yield running


async def test_an_administrator_pulls_a_model_follows_it_and_the_audit_says_who(gateway: RunningGateway) -> None:
    made = await gateway.call("POST", "/v1/models/pull", json=ASKED)
    assert made.status == 202, await made.text()
    path = f"/v1/models/pull/{(await made.json())['id']}"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (job := await (await gateway.call("GET", path)).json())["status"] in ("queued", "running"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (job["status"], job["bytes_done"]) == ("ready", 36)
    assert (await (await gateway.call("GET", "/v1/models/pull")).json())["data"] == [job]
    late = await gateway.call("DELETE", path)
    assert (late.status, (await late.json())["error"]["code"]) == (409, "pull_finished")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await gateway.call("GET", "/v1/models/far")).status != 200:  # noqa: ASYNC110  # within the list's few seconds
            await asyncio.sleep(0.05)
    entries = (await (await gateway.call("GET", "/v1/audit?subject=far")).json())["data"]
    assert [entry["action"] for entry in entries] == ["model.pull"]


async def test_a_refusal_is_the_callers_and_nobody_else_may(gateway: RunningGateway) -> None:
    asked = ASKED | {"source": {"huggingface": "org/none", "file": "m.gguf"}}
    refused = await gateway.call("POST", "/v1/models/pull", json=asked)
    assert (refused.status, (await refused.json())["error"]["code"]) == (400, "source_not_found")
    key = (await gateway.new_key())["secret"]
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/pull_1"), ("DELETE", "/pull_1")):
        json = ASKED if method == "POST" else None
        assert (await gateway.call(method, f"/v1/models/pull{path}", key, json=json)).status == 403
