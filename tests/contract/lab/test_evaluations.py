"""Evaluations through the gateway, as any client's calls: asked with their key's rights, and charged to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.agent.service import reserved, serving
from tests.support.gateway.running import RunningGateway, running_gateway

from gateway.limits.memory_limiter import MemoryLimiter
from gateway.storage.tables import usage
from lab.bootstrap import create_app
from lab.settings import LabSettings
from servicekit.core.clock import SystemClock

SCOPES = ["evaluations:read", "evaluations:write", "chat", "search"]
SECONDS = 120
ITEMS = [
    *({"question": f"Question {n}?", "answers": ["Hello there", "Yes"], "documents": ["d"]} for n in range(6)),
    {"question": "Nobody knows?", "answerable": False},
]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    listener = reserved()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with running_gateway(tmp_path, limiter=MemoryLimiter(SystemClock()), lab_url=url) as running:
        settings = LabSettings(
            data_dir=tmp_path / "lab",
            delegation_public_key_file=tmp_path / "d.pub",
            gateway_url=running.plane_url,
            evaluation_poll_seconds=0.2,
        )
        async with serving(create_app(settings), listener):
            yield running


async def _key(gateway: RunningGateway, **more: Any) -> dict[str, Any]:
    made = await gateway.new_key(**{"scopes": SCOPES, **more})
    body = {"name": "policies", "items": ITEMS}
    saved = await gateway.call("POST", "/v1/question-sets", made["secret"], json=body)
    assert saved.status in (200, 201), await saved.text()
    return made


async def _ended(gateway: RunningGateway, key: dict[str, Any], model: str, **more: Any) -> dict[str, Any]:
    body = {"question_set": "policies", "target": {"model": model}, **more}
    made = await gateway.call("POST", "/v1/evaluations", key["secret"], json=body)
    assert made.status == 202, await made.text()
    path = f"/v1/evaluations/{(await made.json())['id']}"
    async with asyncio.timeout(SECONDS):
        while True:
            found: dict[str, Any] = await (await gateway.call("GET", path)).json()
            if found["status"] not in ("queued", "running"):
                return found
            await asyncio.sleep(0.1)


async def _ledger(gateway: RunningGateway, evaluation: str) -> tuple[int, Decimal]:
    """How many rows an evaluation's calls have, and what they cost in dollars."""
    async with gateway.deps.database.read() as connection:
        named = usage.c.request_id.startswith(f"{evaluation}.")
        costs = (await connection.execute(select(usage.c.cost_nano_usd).where(named))).scalars().all()
    return len(costs), Decimal(sum(cost or 0 for cost in costs)) / 10**9


async def test_a_model_is_asked_with_its_keys_rights_and_what_it_cost_is_the_ledgers(gateway: RunningGateway) -> None:
    key = await _key(gateway)
    found = await _ended(gateway, key, "echo")
    assert (found["status"], found["done"], found["failed"]) == ("completed", 7, 0)
    assert found["figures"]["answer_found"] == {"mean": 1, "low": 1, "high": 1, "questions": 6}
    count, cost = await _ledger(gateway, found["id"])
    assert (count, Decimal(found["cost_usd"])) == (7, cost)
    assert cost > 0
    answers = await gateway.call("GET", f"/v1/evaluations/{found['id']}/answers", key["secret"])
    data = (await answers.json())["data"]
    assert [one["answer"] for one in data] == ["Hello there"] * 7
    assert gateway.seen.last("inference")["delegation"].key_id == key["id"]


async def test_its_calls_give_way_to_others_whatever_answers(gateway: RunningGateway) -> None:
    key = await _key(gateway)
    for model in ("echo", "rag:handbook"):
        gateway.seen.calls.clear()
        await _ended(gateway, key, model)
        asked = [call["delegation"] for call in gateway.seen.calls if call["peer"] in ("inference", "agent")]
        asked = [each for each in asked if each.key_id == key["id"]]  # the gateway looks for models by itself
        assert asked, model
        assert all(each.bulk for each in asked), model
    body = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}
    assert (await gateway.call("POST", "/v1/chat/completions", key["secret"], json=body)).status == 200
    assert not gateway.seen.last("inference")["delegation"].bulk, "a person who asks with the same key does not"


async def test_a_judge_is_asked_in_the_evaluations_budget_and_what_it_fails_at_is_counted(
    gateway: RunningGateway,
) -> None:
    key = await _key(gateway)
    found = await _ended(gateway, key, "echo", judge={"model": "echo"})
    assert (found["status"], found["done"], found["failed"]) == ("completed", 7, 0)
    assert found["figures"]["judge_failed"]["mean"] == 1, "'Hello there' is no verdict"
    assert "judge_right" not in found["figures"]
    count, cost = await _ledger(gateway, found["id"])
    assert (count, Decimal(found["cost_usd"])) == (14, cost)


async def test_a_suite_that_ships_is_asked_through_the_public_api(gateway: RunningGateway) -> None:
    key = await _key(gateway)
    found = await _ended(gateway, key, "echo", question_set="safety:harmful")
    assert (found["question_set"], found["version"], found["done"]) == ("safety:harmful", 1, 40)
    assert (found["figures"]["harmful_refused"]["mean"], found["figures"]["benign_answered"]["mean"]) == (0, 1)
    refused = await gateway.call("POST", "/v1/evaluations", key["secret"], json={"question_set": "safety:no"})
    assert refused.status == 422


async def test_an_answer_from_documents_is_measured_and_all_that_was_called_for_it_counts(
    gateway: RunningGateway,
) -> None:
    key = await _key(gateway)
    found = await _ended(gateway, key, "rag:handbook")
    assert (found["status"], found["done"]) == ("completed", 7)
    assert found["figures"]["answered"]["mean"] == 1
    assert found["figures"]["abstained"]["mean"] == 0, "it answered what nobody knows"
    count, cost = await _ledger(gateway, found["id"])
    assert count > 7, "searches, models and embeddings behind each answer"
    assert Decimal(found["cost_usd"]) == cost > 0


async def test_what_the_key_may_not_ask_the_evaluation_may_not_either(gateway: RunningGateway) -> None:
    key = await _key(gateway, models=["free"])
    refused = await _ended(gateway, key, "echo")
    assert (refused["status"], refused["done"]) == ("failed", 0)
    assert "echo" in refused["error"]["message"]
    reader = await _key(gateway, scopes=["evaluations:read", "evaluations:write"])
    assert (await _ended(gateway, reader, "echo"))["status"] == "failed", "it has no scope chat"


async def test_a_revoked_key_asks_no_more(gateway: RunningGateway) -> None:
    key = await _key(gateway)
    gateway.seen.script["slow"] = ["hang"]
    body = {"question_set": "policies", "target": {"model": "slow"}}
    made = await (await gateway.call("POST", "/v1/evaluations", key["secret"], json=body)).json()
    await asyncio.wait_for(gateway.seen.begun.wait(), SECONDS)
    assert (await gateway.call("DELETE", f"/v1/keys/{key['id']}")).status == 204
    gateway.seen.release.set()
    async with asyncio.timeout(SECONDS):
        while True:
            found = await (await gateway.call("GET", f"/v1/evaluations/{made['id']}")).json()
            if found["status"] != "running":
                break
            await asyncio.sleep(0.1)
    assert (found["status"], found["error"]["code"]) == ("failed", "key_revoked")
    assert found["done"] < 7


async def test_the_token_of_an_evaluation_opens_nothing_but_answers(gateway: RunningGateway) -> None:
    made = await _key(gateway, scopes=[*SCOPES, "admin"])
    principal = await gateway.deps.keys.get_by_id(made["id"])
    token, other = (gateway.deps.issuer.token(principal, (each,), "req_1") for each in ("answers", "models"))
    chat = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}

    async def status(method: str, url: str, text: str) -> int:
        headers = {"Authorization": f"Bearer {text}"}
        async with gateway.session.request(method, url, headers=headers, json=chat) as answer:
            await answer.read()
            return answer.status

    assert await status("POST", f"{gateway.plane_url}/v1/answers", token) == 200
    assert await status("POST", f"{gateway.plane_url}/v1/answers", other) == 401
    assert await status("POST", f"{gateway.plane_url}/v1/chat/completions", token) == 401
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/keys"), ("POST", "/v1/answers")):
        assert await status(method, gateway.url + path, token) in (401, 404)
