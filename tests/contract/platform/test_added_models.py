"""Models that are added through the public API, with the real inference service behind the real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.gateway.running import RunningGateway, running_gateway
from tests.support.inference.running import CHAT, EMBEDDING, serving, settings_for

from inference.bootstrap import create_app as inference_app

ADDED = {
    "kind": "chat",
    "engine": "scripted",
    "context_length": 64,
    "price": {"prompt_usd_per_million": 1, "completion_usd_per_million": 2},
    "source": {"rules": [{"when": "France", "reply": "Lyon is a city."}]},
}
QUESTION = {"messages": [{"role": "user", "content": "What is in France?"}]}
DEADLINE_SECONDS = 60


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    settings = settings_for(tmp_path, [CHAT, EMBEDDING])
    settings = settings.model_copy(update={"delegation_public_key_file": tmp_path / "d.pub"})
    async with serving(inference_app(settings)) as inference_url, AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"{inference_url}/healthz"):
            pass  # it has begun: Alembic brings one schema up to date at a time in a process
        running = await stack.enter_async_context(running_gateway(tmp_path, inference_url=inference_url))
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await running.call("GET", "/v1/models/words")).status != 200:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.05)
        yield running


async def ask(gateway: RunningGateway, model: str) -> tuple[int, Any]:
    answer = await gateway.call("POST", "/v1/chat/completions", json=QUESTION | {"model": model})
    body = await answer.json()
    return answer.status, body["choices"][0]["message"]["content"] if answer.status == 200 else body["error"]["code"]


async def test_an_added_model_answers_at_once_is_priced_and_is_gone_when_it_is_removed(gateway: RunningGateway) -> None:
    assert (await ask(gateway, "second"))[0] == 404
    put = await gateway.call("PUT", "/v1/models/second", json=ADDED)
    assert put.status == 200, await put.text()
    assert (await put.json())["state"] == "ready"
    assert await ask(gateway, "second") == (200, "Lyon is a city.")
    shown = await (await gateway.call("GET", "/v1/models/second")).json()
    assert (shown["added"], shown["kind"], shown["max_model_len"], shown["state"]) == (True, "chat", 64, "ready")
    rows = await gateway.usage_rows(2, route="chat")
    assert rows[-1]["cost_nano_usd"] is not None
    assert (await gateway.call("DELETE", "/v1/models/second")).status == 204
    assert await ask(gateway, "second") == (404, "model_not_found")


async def test_a_replaced_model_gives_no_answer_of_the_old_one(gateway: RunningGateway) -> None:
    await gateway.call("PUT", "/v1/models/second", json=ADDED)
    assert (await ask(gateway, "second"))[1] == "Lyon is a city."
    await gateway.call(
        "PUT", "/v1/models/second", json=ADDED | {"source": {"rules": [{"when": "France", "reply": "Nice."}]}}
    )
    assert (await ask(gateway, "second"))[1] == "Nice."


async def test_the_default_is_set_by_one_call_and_says_so_in_the_list(gateway: RunningGateway) -> None:
    await gateway.call("PUT", "/v1/models/second", json=ADDED)
    chosen = await gateway.call("PUT", "/v1/models/second/default")
    assert (await chosen.json())["default"]
    assert (await ask(gateway, "default"))[1] == "Lyon is a city."
    listed = (await (await gateway.call("GET", "/v1/models")).json())["data"]
    assert [model["id"] for model in listed if model["default"] and model["kind"] == "chat"] == ["second"]


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("talker", ADDED, 409, "model_declared_in_file"),
        ("second", ADDED | {"context_length": 1}, 422, "invalid_model"),
        ("a/b", ADDED, 422, "invalid_model"),
        ("second", {"engine": "scripted"}, 422, "invalid_body"),
    ],
)
async def test_inferences_refusal_is_the_callers(
    gateway: RunningGateway, name: str, body: dict[str, Any], status: int, code: str
) -> None:
    refused = await gateway.call("PUT", f"/v1/models/{name.replace('/', '%2F')}", json=body)
    assert (refused.status, (await refused.json())["error"]["code"]) == (status, code)


async def test_only_an_administrator_adds_removes_and_chooses_and_the_audit_says_who(gateway: RunningGateway) -> None:
    key = (await gateway.new_key())["secret"]
    for method, path in (("PUT", "second"), ("DELETE", "second"), ("PUT", "talker/default")):
        refused = await gateway.call(method, f"/v1/models/{path}", key, json=ADDED if path == "second" else None)
        assert refused.status == 403
    await gateway.call("PUT", "/v1/models/second", json=ADDED)
    await gateway.call("DELETE", "/v1/models/second")
    entries = (await (await gateway.call("GET", "/v1/audit?subject=second")).json())["data"]
    assert [entry["action"] for entry in entries] == ["model.delete", "model.put"]
