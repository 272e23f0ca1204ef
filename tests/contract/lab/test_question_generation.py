"""Questions made from documents through the gateway: read, searched, asked and charged with their key's rights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.support.agent.running import free_port
from tests.support.agent.service import reserved, serving
from tests.support.gateway.running import RunningGateway, running_gateway

from gateway.limits.memory_limiter import MemoryLimiter
from gateway.storage.tables import usage
from lab.bootstrap import create_app
from lab.settings import LabSettings
from servicekit.core.clock import SystemClock

SCOPES = ["evaluations:read", "evaluations:write", "chat", "search", "documents"]
SECONDS = 120
TEXT = "Every visitor of the Bergen office receives 2 yellow badges per day.\n"
SPAN = {"document_id": "visits", "revision": 1, "start": 0, "end": len(TEXT) - 1}
QUESTION = "How many yellow badges does every visitor of the Bergen office receive per day?"
SET = "/v1/question-sets/policies"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    listener = reserved()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=url) as running:
        _offer_visits(running)
        async with serving(_lab(tmp_path, running), listener):
            yield running


def _lab(folder: Path, gateway: RunningGateway) -> FastAPI:
    settings = LabSettings(
        data_dir=folder / "lab",
        delegation_public_key_file=folder / "d.pub",
        gateway_url=gateway.plane_url,
        evaluation_poll_seconds=0.2,
    )
    return create_app(settings)


def _offer_visits(gateway: RunningGateway) -> None:
    """One document, which is found and cited."""
    gateway.seen.documents = {"visits": TEXT}
    place = {"chunk_id": "c_visits", "title": "visits", "source": "visits.md", "text": TEXT, "score": 1.0}
    gateway.seen.hits = [{**SPAN, **place, "collection": "handbook", "scores": {}}]
    gateway.seen.citation = {**SPAN, "quote": TEXT, "supported": True}


async def _ended(gateway: RunningGateway, key: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"collection": "handbook", "count": 1, "near_misses": 1, **more}
    made = await gateway.call("POST", f"{SET}/generate", key, json=body)
    assert made.status == 202, await made.text()
    path = f"{SET}/generations/{(await made.json())['id']}"
    async with asyncio.timeout(SECONDS):
        while True:
            found: dict[str, Any] = await (await gateway.call("GET", path)).json()
            if found["status"] not in ("queued", "running"):
                return found
            await asyncio.sleep(0.1)


async def test_a_question_is_made_found_again_reviewed_and_saved_and_costs_what_the_ledger_has(
    gateway: RunningGateway,
) -> None:
    key = await gateway.new_key(scopes=SCOPES)
    found = await _ended(gateway, key["secret"])
    assert (found["status"], found["kept"], found["kept_near_misses"]) == ("completed", 1, 1)
    run = f"{SET}/generations/{found['id']}"
    async with gateway.deps.database.read() as connection:
        named = usage.c.request_id.startswith(f"{found['id']}.")
        rows = (await connection.execute(select(usage.c.cost_nano_usd, usage.c.route).where(named))).all()
    assert {"search", "chat", "embeddings"} <= {row.route for row in rows}, "with all that was called for the answer"
    assert Decimal(found["cost_usd"]) == Decimal(sum(row.cost_nano_usd or 0 for row in rows)) / 10**9 > 0
    (item,) = (await (await gateway.call("GET", f"{run}/items?limit=1", key["secret"])).json())["data"]
    assert (item["question"], item["made_by"], item["state"]) == (QUESTION, "rule", "proposed")
    assert item["span"]["text"] == TEXT.strip()
    assert (await gateway.call("POST", f"{run}/review", key["secret"], json={"accept_all": True})).status == 200
    saved = await gateway.call("POST", f"{run}/save", key["secret"])
    assert (saved.status, (await saved.json())["version"]) == (201, 1)


async def test_what_the_key_may_not_read_or_ask_the_run_may_not_either(gateway: RunningGateway) -> None:
    for scopes in (["evaluations:write"], ["evaluations:write", "documents"], ["evaluations:write", "chat"]):
        key = await gateway.new_key(scopes=scopes)
        found = await _ended(gateway, key["secret"])
        assert (found["status"], found["kept"]) == ("failed", 0)
        assert found["error"]["code"] == "missing_scope"
    narrow = await gateway.new_key(scopes=SCOPES, collections=["papers"])
    assert (await _ended(gateway, narrow["secret"]))["error"]["code"] in ("collection_not_allowed", "not_found")


async def test_what_was_made_of_a_document_goes_when_it_is_deleted(gateway: RunningGateway) -> None:
    key = await gateway.new_key(scopes=SCOPES)
    found = await _ended(gateway, key["secret"], near_misses=0)
    deleted = await gateway.call("DELETE", "/v1/collections/handbook/documents/visits", key["secret"])
    assert deleted.status == 204
    items = await gateway.call("GET", f"{SET}/generations/{found['id']}/items")
    (item,) = (await items.json())["data"]
    assert (item["state"], item["reason"], item["question"], item["span"]) == ("stale", "document_deleted", None, None)


async def test_a_document_that_was_deleted_while_the_lab_was_away_is_missed_before_anything_is_saved(
    gateway: RunningGateway,
) -> None:
    found = await _ended(gateway, near_misses=0)
    run = f"{SET}/generations/{found['id']}"
    assert (await gateway.call("POST", f"{run}/review", json={"accept_all": True})).status == 200
    gateway.seen.documents.clear()
    refused = await gateway.call("POST", f"{run}/save")
    assert (refused.status, (await refused.json())["error"]["code"]) == (409, "nothing_accepted")
    shown = await (await gateway.call("GET", run)).json()
    assert (shown["states"], shown["dropped"]) == ({"stale": 1}, {"document_deleted": 1})


async def test_drafts_of_a_document_that_was_deleted_while_the_lab_was_away_go_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    async with running_gateway(
        tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=f"http://127.0.0.1:{port}", restart_seconds=0
    ) as gateway:
        _offer_visits(gateway)
        async with serving(_lab(tmp_path, gateway), port):
            found = await _ended(gateway, near_misses=0)
        deleted = await gateway.call("DELETE", "/v1/collections/handbook/documents/visits")
        assert deleted.status == 204
        items = f"{SET}/generations/{found['id']}/items"
        async with serving(_lab(tmp_path, gateway), port), asyncio.timeout(SECONDS):
            while True:  # nobody does anything: the notice waits for the lab
                answer = await gateway.call("GET", items)
                (item,) = (await answer.json())["data"]
                if item["state"] == "stale":
                    break
                await asyncio.sleep(0.1)
            assert (item["reason"], item["question"], item["span"]) == ("document_deleted", None, None)


async def test_the_token_of_a_run_reads_as_its_key_does_and_changes_nothing(gateway: RunningGateway) -> None:
    made = await gateway.new_key(scopes=["evaluations:write", "search"])
    principal = await gateway.deps.keys.get_by_id(made["id"])
    token, other = (gateway.deps.issuer.token(principal, (each,), "req_1") for each in ("answers", "models"))

    async def status(method: str, path: str, text: str) -> int:
        headers = {"Authorization": f"Bearer {text}"}
        url = f"{gateway.plane_url}/v1/collections/handbook/{path}"
        async with gateway.session.request(method, url, headers=headers, json={"query": "q"}) as answer:
            await answer.read()
            return answer.status

    for method, path in (("GET", "documents"), ("GET", "documents/visits/chunks"), ("POST", "search")):
        assert await status(method, path, token) == 200
        assert await status(method, path, other) == 401
    assert await status("DELETE", "documents/visits", token) == 405
