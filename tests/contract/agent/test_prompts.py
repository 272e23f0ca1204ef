"""`prompt:` models through the gateway: whole and streamed, in chats and responses, with all that holds for others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from tests.support.agent.running import RunningAgents, running_agents

from agent.testing.scripted_answers import hit

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCOPES = ["chat", "agents", "agents:write", "prompts:release"]
MAIL = "jane.roe@acme.example"
GREETING: dict[str, Any] = {
    "name": "greeting",
    "messages": [{"role": "system", "content": "Greet {{who}} as v1."}],
    "variables": {"who": {}},
    "parameters": {"temperature": 0.25, "max_tokens": 7},
    "examples": [{"input": "Hi", "output": "Ho"}],
}
SECOND = {**GREETING, "messages": [{"role": "system", "content": "Greet {{who}} as v2."}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningAgents]:
    async with running_agents(tmp_path_factory.mktemp("agents")) as running:
        running.takes("Hello.", "Hello.")
        for prompt in (GREETING, SECOND):
            await running.call("POST", "/v1/prompts", 201, json=prompt)
        yield running


def _chat(model: str = "prompt:greeting", **more: Any) -> dict[str, Any]:
    options = {"variables": {"who": "Ann"}}
    return {"model": model, "messages": [{"role": "user", "content": "Now."}], "groundwork": options, **more}


async def _stream(agents: RunningAgents, body: dict[str, Any], key: str | None = None) -> tuple[str, str]:
    """The version that the answer names, and the text of the whole stream."""
    answer = await agents.gateway.call("POST", "/v1/chat/completions", key or agents.key, json={**body, "stream": True})
    text = await answer.text()
    assert answer.status == 200, text
    return answer.headers["X-Groundwork-Prompt"], text


async def test_a_model_is_asked_by_the_template_before_what_the_caller_says(agents: RunningAgents) -> None:
    version, text = await _stream(agents, _chat(temperature=1.5))
    assert (version, text.rstrip().endswith("[DONE]")) == ("greeting@1", True)
    asked = agents.model.requests[-1]
    assert [(message.role, message.content) for message in asked.messages] == [
        ("system", "Greet Ann as v1."),
        ("user", "Hi"),
        ("assistant", "Ho"),
        ("user", "Now."),
    ]
    assert (asked.temperature, asked.max_tokens, asked.model, asked.groundwork) == (1.5, 7, "turns", None)


async def test_openai_s_client_asks_a_prompt_in_chats_and_responses_by_number_and_label(agents: RunningAgents) -> None:
    key = await agents.gateway.new_key(scopes=SCOPES)
    moved = {"key": key["secret"], "json": {"version": 2}}
    await agents.call("PUT", "/v1/prompts/greeting/labels/candidate", **moved)
    async with AsyncOpenAI(base_url=f"{agents.gateway.url}/v1", api_key=agents.key, max_retries=0) as client:
        chats = await client.chat.completions.with_raw_response.create(
            model="prompt:greeting@2", messages=[], stream=True, extra_body={"groundwork": {"variables": {"who": "A"}}}
        )
        async for _ in chats.parse():
            pass
        prompt: Any = {"id": "greeting", "version": "candidate", "variables": {"who": "B"}}
        responses = await client.responses.with_raw_response.create(prompt=prompt, input="Hi.", stream=True)
        events = [event.type async for event in responses.parse()]
        bare = await client.responses.with_raw_response.create(prompt=prompt, stream=True)
        assert [event.type async for event in bare.parse()][-1] == events[-1] == "response.completed"
        names = [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("prompt:greeting")).id == "prompt:greeting"
    assert chats.headers["x-groundwork-prompt"] == responses.headers["x-groundwork-prompt"] == "greeting@2"
    assert "prompt:greeting" in names
    assert agents.model.requests[-2].messages[0].content == "Greet B as v2."


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (_chat("prompt:nobody"), (404, "prompt_not_found")),
        (_chat("prompt:greeting@9"), (404, "prompt_version_not_found")),
        (_chat("prompt:greeting@nowhere"), (404, "prompt_label_not_found")),
        (_chat("prompt:"), (404, "model_not_found")),
        (_chat("prompt:greeting@"), (404, "model_not_found")),
        (_chat("prompt:Greeting@1@2"), (404, "model_not_found")),
        (_chat(groundwork={}), (400, "invalid_variables")),
        (_chat(groundwork={"variables": {"who": 3}}), (400, "invalid_variables")),
        (_chat(groundwork={"variables": {"who": "x", "whom": "y"}}), (400, "invalid_variables")),
        (_chat(groundwork={"variables": {"who": {"a": 1}}}), (422, "invalid_body")),
        (_chat(groundwork={"variables": {"who": "x"}, "top_k": 3}), (400, "options_need_documents")),
        (_chat("turns"), (400, "variables_need_prompt")),
        (_chat("rag:handbook"), (400, "variables_need_prompt")),
        (_chat("turns", messages=[], groundwork=None), (422, "invalid_body")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_a_prompt_can_not_answer_says_why(
    agents: RunningAgents, body: dict[str, Any], refused: tuple[int, str], stream: bool
) -> None:
    before = len(agents.model.requests)
    answer = await agents.gateway.call("POST", "/v1/chat/completions", agents.key, json={**body, "stream": stream})
    assert (answer.status, (await answer.json())["error"]["code"]) == refused
    assert len(agents.model.requests) == before


async def test_a_prompt_is_charged_and_limited_as_the_model_that_it_names(agents: RunningAgents) -> None:
    made = await agents.gateway.new_key(scopes=["chat"], limits={"requests_per_minute": 2})
    for _ in range(2):
        await _stream(agents, _chat(), made["secret"])
    third = await agents.gateway.call("POST", "/v1/chat/completions", made["secret"], json=_chat(stream=True))
    assert (third.status, (await third.json())["error"]["type"]) == (429, "rate_limited")
    assert "X-Groundwork-Prompt" not in third.headers, "it is not filled for a call that the limits refuse"
    for row in await agents.gateway.usage_rows(2, key_id=made["id"]):
        assert (row["model"], row["route"], row["prompt_tokens"], row["cost_nano_usd"] > 0) == (
            "turns",
            "chat",
            20,
            True,
        )
    narrow = await agents.gateway.new_key(scopes=["chat"], models=["other"])
    answer = await agents.gateway.call("POST", "/v1/chat/completions", narrow["secret"], json=_chat())
    assert (answer.status, (await answer.json())["error"]["code"]) == (404, "model_not_found")


async def test_another_tenant_s_prompts_are_not_there(agents: RunningAgents) -> None:
    other = await agents.gateway.new_key(scopes=SCOPES, tenant="other")
    answer = await agents.gateway.call("POST", "/v1/chat/completions", other["secret"], json=_chat())
    assert (answer.status, (await answer.json())["error"]["code"]) == (404, "prompt_not_found")
    models = await agents.call("GET", "/v1/models", key=other["secret"])
    assert not [model["id"] for model in models["data"] if model["id"].startswith("prompt:")]


async def test_variables_are_masked_before_they_are_put_in_and_refused_before_anything_is_asked(
    agents: RunningAgents,
) -> None:
    body = _chat(groundwork={"variables": {"who": MAIL}})
    redacting = await agents.gateway.new_key(scopes=["chat"], guardrails={"input": {"pii": "redact"}})
    await _stream(agents, body, redacting["secret"])
    assert agents.model.requests[-1].messages[0].content == f"Greet {'*' * len(MAIL)} as v1."
    blocking = await agents.gateway.new_key(scopes=["chat"], guardrails={"input": {"pii": "block"}})
    before = len(agents.model.requests)
    refused = await agents.gateway.call("POST", "/v1/chat/completions", blocking["secret"], json=body)
    assert (refused.status, (await refused.json())["error"]["code"]) == (400, "content_blocked")
    assert len(agents.model.requests) == before


async def test_an_answer_from_documents_is_instructed_by_a_prompt_and_its_sources_stay_ours(
    agents: RunningAgents,
) -> None:
    text = "Full-time employees get 27 days of paid leave per year."
    agents.gateway.seen.hits.append(hit(text, "leave-policy").model_dump(mode="json"))
    question = {"role": "user", "content": "How many days of paid leave do full-time employees get per year?"}
    options = {"prompt": "greeting@2", "variables": {"who": "Ann"}, "include": ["receipt"], "grounding": "annotate"}
    version, answer = await _stream(agents, _chat("rag:handbook", messages=[question], groundwork=options))
    assert version == "greeting@2"
    asked = next(one.messages for one in agents.model.requests if "<source" in one.messages[-1].plain_text())
    assert "Greet Ann as v2." in asked[0].plain_text()
    assert "Use only what the sources say" in asked[0].plain_text()
    assert text in asked[-1].plain_text()
    assert '"instructions":"greeting@2"' in answer


async def test_a_version_of_a_prompt_that_ships_words_answers_before_it_is_in_production_and_a_route_splits_two(
    agents: RunningAgents,
) -> None:
    text = "Full-time employees get 27 days of paid leave per year."
    agents.gateway.seen.hits.append(hit(text, "leave-policy").model_dump(mode="json"))
    name, brief = "groundwork-answer", {"role": "system", "content": "Be brief, as the candidate."}
    key = (await agents.gateway.new_key(scopes=SCOPES))["secret"]
    saved = {"name": name, "messages": [brief], "label": "candidate"}
    assert (await agents.call("POST", "/v1/prompts", 201, key=key, json=saved))["version"] == 2
    asked = {"role": "user", "content": "How many days of paid leave do full-time employees get per year?"}

    async def answer(model: str = "rag:handbook", status: int = 200, **options: Any) -> tuple[Any, str]:
        body = {"model": model, "messages": [asked], "groundwork": {"include": ["receipt"], **options}}
        found = await agents.call("POST", "/v1/chat/completions", status, json=body)
        said = agents.model.requests[-1].messages[0].plain_text()
        return (found["error"]["code"], said) if status != 200 else (found["groundwork"]["receipt"], said)

    for which, prompt, begins in (
        ("@candidate", f"{name}@2", brief["content"]),
        ("@2", f"{name}@2", brief["content"]),
        ("@1", "answer.v3", "You answer"),
        ("", "answer.v3", "You answer"),
    ):
        receipt, said = await answer(prompt=name + which)
        assert (receipt["prompt"], receipt["instructions"]) == (prompt, None)
        assert "prompt_ignored" not in receipt["degraded"]
        assert said.startswith(begins), which
    assert (await answer())[0]["prompt"] == "answer.v3", "production is as it was"
    for which, code in (
        ("@9", "prompt_version_not_found"),
        ("@none", "prompt_label_not_found"),
        ("@-", "prompt_not_found"),
    ):
        assert (await answer(status=404, prompt=name + which))[0] == code

    targets = [
        {"name": f"version-{number}", "model": "rag:handbook", "groundwork": {"prompt": f"{name}@{number}"}}
        for number in (1, 2)
    ]
    spec = {"targets": targets, "split_by": "call"}
    await agents.call("PUT", "/v1/routes/support", key=agents.gateway.admin_key, json=spec)
    seen = set[tuple[str, str]]()
    for _ in range(64):  # of 64 calls none falls to a half of them once in 10^19
        if len(seen) < 2:
            receipt, _ = await answer("support")
            seen.add((receipt["variant"]["name"], receipt["prompt"]))
    assert seen == {("version-1", "answer.v3"), ("version-2", f"{name}@2")}


async def test_no_stream_sees_a_mix_while_its_label_moves(agents: RunningAgents) -> None:
    key = (await agents.gateway.new_key(scopes=SCOPES))["secret"]
    done, seen = asyncio.Event(), set[str]()

    async def load() -> None:
        while not done.is_set():
            version, text = await _stream(agents, _chat())
            asked = [json.loads(frame[6:]) for frame in text.split("\n\n") if frame.startswith("data: {")]
            assert asked
            seen.add(version)

    loads = [asyncio.create_task(load()) for _ in range(4)]
    for number in range(20):
        wanted = 2 - number % 2
        await agents.call("PUT", "/v1/prompts/greeting/labels/production", key=key, json={"version": wanted})
        version, _ = await _stream(agents, _chat())
        assert version == f"greeting@{wanted}"
    done.set()
    await asyncio.gather(*loads)
    assert seen == {"greeting@1", "greeting@2"}
    asked = (request.messages[0].plain_text() for request in agents.model.requests)
    said = {text for text in asked if text.startswith("Greet")}
    assert said <= {f"Greet {who} as v{n}." for who in ("Ann", "A", "B", "*" * len(MAIL)) for n in (1, 2)}


async def test_a_label_s_move_and_its_rollback_are_in_the_audit_log_by_the_key_that_made_them(
    agents: RunningAgents,
) -> None:
    key = await agents.gateway.new_key(scopes=SCOPES)
    prompt = {**GREETING, "name": "audited"}
    await agents.call("POST", "/v1/prompts", 201, json=prompt)
    await agents.call("POST", "/v1/prompts", 201, json={**SECOND, "name": "audited"})
    for version in (2, 1):
        moved = {"key": key["secret"], "json": {"version": version}}
        await agents.call("PUT", "/v1/prompts/audited/labels/production", **moved)
    log = await agents.call("GET", "/v1/audit", key=agents.gateway.admin_key, params={"subject": "audited"})
    told = [(one["action"], one["actor_key_id"], one["detail"]["from"], one["detail"]["to"]) for one in log["data"]]
    assert told[:2] == [("prompt.label", key["id"], 2, 1), ("prompt.label", key["id"], 1, 2)]
    ((action, saver, *moved),) = told[2:]
    assert (action, saver != key["id"], moved) == ("prompt.label", True, [None, 1]), "the first version"
