"""Records of answers on each database: two replicas write, either finds, by the answer's own id."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, running_gateway
from tests.support.home.postgres import postgres_installed, temporary_postgres

DATABASES = ["sqlite", *(["postgres"] if postgres_installed() else [])]
CHAT = "/v1/chat/completions"
READER = ["chat", "agents", "records:read", "records:write"]


@pytest.fixture
def postgres() -> Iterator[str]:
    with temporary_postgres() as url:
        yield url


@pytest.fixture(params=DATABASES)
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[RunningGateway]]:
    """One gateway with SQLite, two with PostgreSQL."""
    if request.param == "sqlite":
        async with running_gateway(tmp_path) as only:
            yield [only, only]
        return
    url = SecretStr(request.getfixturevalue("postgres"))
    async with (
        running_gateway(tmp_path, database_url=url) as first,
        running_gateway(tmp_path, database_url=url) as second,
    ):
        yield [first, second]


def _body(text: str, model: str = "echo", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def _answer_id(gateway: RunningGateway, secret: str, body: dict[str, Any]) -> str:
    answer = await gateway.call("POST", CHAT, secret, json=body)
    assert answer.status == 200, await answer.text()
    text = await answer.text()
    if body.get("stream"):
        text = next(line for line in text.split("\n") if line.startswith("data: {")).removeprefix("data: ")
    return str(json.loads(text)["id"])


async def _record(gateway: RunningGateway, secret: str, answer_id: str) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await gateway.call("GET", f"/v1/records/{answer_id}", secret)
            if answer.status == 200:
                found: dict[str, Any] = await answer.json()
                return found
            assert answer.status == 404, await answer.text()
            await asyncio.sleep(0.02)


async def _ids(gateway: RunningGateway, secret: str, **query: str) -> set[str]:
    answer = await gateway.call("GET", "/v1/records", secret, params=query)
    assert answer.status == 200, await answer.text()
    return {one["id"] for one in (await answer.json())["data"]}


async def test_an_answer_of_one_replica_is_found_filtered_and_deleted_on_another(
    replicas: list[RunningGateway],
) -> None:
    first, second = replicas
    key = (await first.new_key(scopes=READER, records="full"))["secret"]
    other = (await first.new_key(scopes=READER, tenant="other", records="full"))["secret"]
    ids = [
        await _answer_id(first, key, _body("wombat one", user="jo")),
        await _answer_id(second, key, _body("wombat two", stream=True)),
        await _answer_id(first, key, _body("leave?", "rag:handbook")),
    ]
    theirs = await _answer_id(first, other, _body("wombat theirs"))
    found = [await _record(second, key, one) for one in ids]
    await _record(first, other, theirs)
    assert [one["question"] for one in found] == ["wombat one", "wombat two", "leave?"]
    assert [one["streamed"] for one in found] == [False, True, False]
    assert all(one["answer"] and one["receipt"] for one in found)
    assert await _ids(second, key) == set(ids)
    assert await _ids(first, key, q="WOMBAT") == set(ids[:2])
    assert await _ids(first, key, collection="handbook") == {ids[2]}
    assert await _ids(second, key, model="echo", limit="1") <= set(ids[:2])
    assert (await first.call("GET", f"/v1/records/{theirs}", key)).status == 404
    assert (await first.call("DELETE", f"/v1/records/{theirs}", key)).status == 404
    assert (await second.call("DELETE", f"/v1/records/{ids[1]}", key)).status == 204
    gone = await second.call("DELETE", "/v1/records", key, params={"user": "jo"})
    assert await gone.json() == {"deleted": 1}
    assert await _ids(first, key) == {ids[2]}
    assert await _ids(first, other) == {theirs}


async def test_who_may_read_records_is_told_by_scopes_and_who_is_recorded_by_key_and_tenant(
    replicas: list[RunningGateway],
) -> None:
    first, second = replicas
    reader = (await first.new_key(scopes=READER, records="off", tenant="acme"))["secret"]
    writer = await first.new_key(scopes=["chat"], tenant="acme")
    refused = await first.call("GET", "/v1/records", writer["secret"])
    assert refused.status == 403
    assert "records:read" in await refused.text()
    await _answer_id(first, writer["secret"], _body("before"))
    changed = await first.call("PATCH", "/v1/tenants/acme", json={"records": "full", "records_days": 7})
    assert (await changed.json())["records"] == "full"
    until = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    seen: set[str] = set()
    while not seen and asyncio.get_running_loop().time() < until:  # a key is cached for a second
        await _answer_id(second, writer["secret"], _body("after"))
        await asyncio.sleep(0.1)
        seen = await _ids(first, reader)
    assert seen
    assert {(await _record(first, reader, one))["question"] for one in seen} == {"after"}
    await _answer_id(first, reader, _body("mine"))
    assert await _ids(first, reader, q="mine") == set(), "a key may be off where its tenant is on"
    back = await first.call("PATCH", f"/v1/keys/{writer['id']}", json={"records": "metadata"})
    assert (await back.json())["records"] == "metadata"
    assert (await (await first.call("PATCH", f"/v1/keys/{writer['id']}", json={"records": None})).json())[
        "records"
    ] is None


async def test_on_a_full_disk_answers_go_on_without_records_and_readiness_and_a_metric_say_so(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, records_free_bytes=2**62) as gateway:  # so many are free nowhere
        key = (await gateway.new_key(scopes=["chat", "feedback:write"], records="full"))["secret"]
        answer_id = await _answer_id(gateway, key, _body("Anything?"))
        await gateway.deps.recorder.all_written()
        ready = await gateway.call("GET", "/readyz")
        assert ready.status == 200, "it answers"
        assert "the disk is nearly full; answers go on" in await ready.text()
        async with gateway.session.get(f"{gateway.metrics_url}/metrics") as metrics:
            assert "groundwork_gateway_records_paused 1.0" in await metrics.text()
        assert await _answer_id(gateway, key, _body("And now?")) != answer_id
        rated = await gateway.call("POST", "/v1/feedback", key, json={"answer_id": answer_id, "rating": "up"})
        assert (rated.status, (await rated.json())["recorded"]) == (201, False)
