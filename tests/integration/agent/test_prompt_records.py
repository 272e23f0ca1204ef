"""Answers by a prompt on each database: what the model was asked is on record, and in what trainers and question sets
load."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.agent.running import RunningAgents, running_agents

SCOPES = ["chat", "agents", "agents:write", "records:read", "records:write", "feedback:review"]
CHAT = "/v1/chat/completions"
PROMPT: dict[str, Any] = {
    "name": "greeting",
    "messages": [{"role": "system", "content": "Greet {{who}}."}, {"role": "user", "content": "In {{language}}."}],
    "variables": {"who": {}, "language": {"default": "English"}},
    "examples": [{"input": "Hi", "output": "Ho"}],
}
SAID = [("system", "Greet Ann."), ("user", "Hi"), ("assistant", "Ho"), ("user", "In English.")]
FILLED = [{"role": role, "content": text} for role, text in SAID]
NOW = [{"role": "user", "content": "Now."}]


@pytest.fixture
async def agents(databases: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path) -> AsyncIterator[RunningAgents]:
    ours, theirs = databases
    async with running_agents(tmp_path, ours, **theirs) as running:
        await running.call("POST", "/v1/prompts", 201, json=PROMPT)
        yield running


def _body(who: str = "Ann", **more: Any) -> dict[str, Any]:
    return {"model": "prompt:greeting", "messages": NOW, "groundwork": {"variables": {"who": who}}, **more}


async def test_answers_by_a_prompt_are_on_record_and_in_all_exports_as_the_model_was_asked(
    agents: RunningAgents,
) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full"))["secret"]
    whole = (await agents.call("POST", CHAT, key=key, json=_body()))["id"]
    assert [(one.role, one.content) for one in agents.model.requests[-1].messages] == [*SAID, ("user", "Now.")]
    streamed = await _streamed(agents, key, _body(messages=[]))
    prompt = {"id": "greeting", "variables": {"who": "Ann"}}
    responded = await agents.call("POST", "/v1/responses", key=key, json={"prompt": prompt, "input": "Now."})
    for answer_id, messages in ((whole, NOW), (streamed, []), (responded["id"], NOW)):
        record = await agents.read_record(key, answer_id)
        assert (record["prompt"], record["prompt_messages"], record["messages"]) == ("greeting@1", FILLED, messages)
        assert record["parameters"]["groundwork"] == {"variables": {"who": "Ann"}}
    await _say(agents, key, whole, rating="down", correction="Hello Ann.")
    await _say(agents, key, responded["id"], rating="up")
    await _say(agents, key, streamed, rating="up")
    said = (await agents.read_record(key, whole))["answer"]
    (pair,) = await _exported(agents, key, "preference")
    assert (pair["prompt"], pair["chosen"][0]["content"]) == ([*FILLED, *NOW], "Hello Ann.")
    assert pair["rejected"][0]["content"] == said
    labelled = await _exported(agents, key, "kto")
    assert sorted(len(line["prompt"]) for line in labelled) == [4, 5, 5, 5]
    assert all(line["prompt"][:4] == FILLED for line in labelled)
    items = {item["question"]: item for item in await _exported(agents, key, "questions")}
    assert {question: item["metadata"]["variables"] for question, item in items.items()} == {
        "Now.": '{"who": "Ann"}',
        "In English.": '{"who": "Ann"}',
    }
    assert set(items["Now."]["metadata"]["answer_ids"]) == {whole, responded["id"]}
    await agents.call("DELETE", f"/v1/records/{whole}", 204, key=key)
    assert await _exported(agents, key, "preference") == []


async def test_what_a_prompt_says_stays_on_record_when_it_changes_or_goes(agents: RunningAgents) -> None:
    key = (await agents.gateway.new_key(scopes=[*SCOPES, "prompts:release"], records="full"))["secret"]
    first = (await agents.call("POST", CHAT, key=key, json=_body()))["id"]
    changed = {**PROMPT, "messages": [{"role": "system", "content": "Shout at {{who}}."}]}
    await agents.call("POST", "/v1/prompts", 201, key=key, json={**changed, "label": "production"})
    second = (await agents.call("POST", CHAT, key=key, json=_body()))["id"]
    await agents.call("DELETE", "/v1/prompts/greeting", 204, key=key)
    assert (await agents.read_record(key, first))["prompt_messages"] == FILLED
    later = await agents.read_record(key, second)
    assert (later["prompt"], later["prompt_messages"][0]["content"]) == ("greeting@2", "Shout at Ann.")
    await _say(agents, key, first, rating="up", preferred_over=second)
    assert await _exported(agents, key, "preference") == [], "the model was asked something else"


async def test_a_key_that_sees_no_texts_of_prompts_sees_none_on_record_and_another_tenant_nothing(
    agents: RunningAgents,
) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES, records="full"))["secret"]
    narrow = (await agents.gateway.new_key(scopes=SCOPES, records="full", models=["turns"]))["secret"]
    stranger = (await agents.gateway.new_key(scopes=SCOPES, tenant="other", records="full"))["secret"]
    own = (await agents.call("POST", CHAT, key=narrow, json=_body()))["id"]
    assert (await agents.read_record(key, own))["prompt_messages"] == FILLED
    seen = await agents.read_record(narrow, own)
    assert (seen["prompt_messages"], seen["messages"], seen["question"]) == (None, NOW, "Now.")
    assert "Greet" not in json.dumps(seen)
    await agents.call("GET", f"/v1/records/{own}", 404, key=stranger)
    await _say(agents, key, own, rating="up")
    assert await _exported(agents, stranger, "kto") == []
    await agents.call("GET", "/v1/feedback/export", 403, key=narrow, params={"format": "kto"})


async def _streamed(agents: RunningAgents, key: str, body: dict[str, Any]) -> str:
    answer = await agents.gateway.call("POST", CHAT, key, json={**body, "stream": True})
    text = await answer.text()
    assert answer.status == 200, text
    first = next(line for line in text.split("\n") if line.startswith("data: {"))
    return str(json.loads(first.removeprefix("data: "))["id"])


async def _say(agents: RunningAgents, key: str, answer_id: str, **said: Any) -> None:
    given = await agents.call("POST", "/v1/feedback", 201, key=key, json={"answer_id": answer_id, **said})
    assert given["recorded"]


async def _exported(agents: RunningAgents, key: str, kind: str) -> list[dict[str, Any]]:
    answer = await agents.gateway.call("GET", "/v1/feedback/export", key, params={"format": kind})
    assert answer.status == 200, await answer.text()
    return [json.loads(line) for line in (await answer.text()).splitlines()]
