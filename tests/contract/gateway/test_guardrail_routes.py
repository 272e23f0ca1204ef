"""Every public route, by the table of what guardrails see of each: what it says is really so, end to end.

The routes are read from the running gateway. One that is not in the table of operations fails, and so does one that
reaches a model and has no example here. Models are scripted; gateway, model plane and agent service are the real ones.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from tests.support.agent.running import RunningAgents, running_agents
from tests.support.api.openapi_walk import operations

from agent.testing.scripted_agents import Turn
from agent.testing.scripted_answers import hit
from contracts.agents.runs import FINAL_RUN_STATUSES
from contracts.operations.table import OPERATIONS

MAIL = "jane.roe@acme.example"
MASK = "*" * len(MAIL)
SPEAKS = (Turn(f"I write to {MAIL} now.", [("calculator", {"expression": "6*7"})]), f"It is 42, says {MAIL}.")
HELPER = {"name": "helper", "instructions": "Compute.", "tools": ["calculator"]}
GREETING = {
    "name": "greeting",
    "messages": [{"role": "system", "content": "Greet {{who}}."}],
    "variables": {"who": {"default": "all"}},
}
CAREFUL = {**HELPER, "name": "careful", "approval": {"tools": ["calculator"]}}
SCOPES = ["chat", "documents", "search", "agents", "agents:write"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Made:
    """What calls are made on."""

    thread: str
    run: str
    waiting_thread: str
    waiting: str
    call: str


Example = Callable[[Made, str], tuple[str, dict[str, Any] | None]]


def _mcp(tool: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": {"collections": ["handbook"], **arguments}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _chat(model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "stream": True, **more}


def _who(text: str) -> dict[str, Any]:
    return {"variables": {"who": text}}


def _decided(made: Made, text: str) -> dict[str, Any]:
    return {"decisions": [{"tool_call_id": made.call, "action": "reject", "message": text}]}


EXAMPLES: dict[str, list[Example]] = {
    "POST /v1/chat/completions": [
        lambda _, text: ("/v1/chat/completions", _chat("turns", text)),
        lambda _, text: ("/v1/chat/completions", _chat("rag:handbook", text, groundwork={"include": ["sources"]})),
        lambda _, text: ("/v1/chat/completions", _chat("agent:helper", text)),
        lambda _, text: ("/v1/chat/completions", {**_chat("agent:careful", text), "stream": False}),
        lambda _, text: ("/v1/chat/completions", _chat("prompt:greeting", text)),
        lambda _, text: ("/v1/chat/completions", {**_chat("prompt:greeting@1", "Hi."), "groundwork": _who(text)}),
    ],
    "POST /v1/completions": [
        lambda _, text: ("/v1/completions", {"model": "turns", "prompt": text, "max_tokens": 40, "stream": True})
    ],
    "POST /v1/responses": [
        lambda _, text: ("/v1/responses", {"model": "turns", "input": text, "stream": True}),
        lambda _, text: ("/v1/responses", {"model": "agent:careful", "input": "Go.", "instructions": text}),
        lambda _, text: ("/v1/responses", {"prompt": {"id": "greeting", **_who(text)}, "stream": True}),
    ],
    "POST /v1/embeddings": [lambda _, text: ("/v1/embeddings", {"input": ["first", text]})],
    "POST /v1/classify": [lambda _, text: ("/v1/classify", {"input": ["first", text], "labels": ["a", "b"]})],
    "POST /v1/moderations": [lambda _, text: ("/v1/moderations", {"input": ["first", text]})],
    "POST /v1/tokenize": [lambda _, text: ("/v1/tokenize", {"model": "turns", "prompt": text})],
    "POST /v1/rerank": [lambda _, text: ("/v1/rerank", {"query": "q", "documents": ["first", text]})],
    "POST /v2/rerank": [lambda _, text: ("/v2/rerank", {"query": text, "documents": ["first"]})],
    "POST /v1/collections/{name}/search": [lambda _, text: ("/v1/collections/handbook/search", {"query": text})],
    "POST /v1/collections/{name}/documents/{id}/summary": [
        lambda _, text: ("/v1/collections/handbook/documents/doc/summary", {})
    ],
    "POST /mcp": [
        lambda _, text: ("/mcp", _mcp("ask", question=text)),
        lambda _, text: ("/mcp", _mcp("search", query=text)),
    ],
    "POST /v1/agents": [lambda _, text: ("/v1/agents", {"name": "new", "instructions": text})],
    "POST /v1/prompts": [
        lambda _, text: ("/v1/prompts", {"name": "new", "messages": [{"role": "system", "content": text}]})
    ],
    "POST /v1/prompts/{name}/render": [lambda _, text: ("/v1/prompts/greeting/render", _who(text))],
    "POST /v1/threads": [lambda _, text: ("/v1/threads", {"metadata": {"title": text}})],
    "PATCH /v1/threads/{id}": [lambda made, text: (f"/v1/threads/{made.thread}", {"metadata": {"title": text}})],
    "POST /v1/threads/{id}/messages": [
        lambda made, text: (f"/v1/threads/{made.thread}/messages", {"messages": [{"role": "user", "content": text}]})
    ],
    "POST /v1/feedback": [lambda _, text: ("/v1/feedback", {"answer_id": "chatcmpl_1", "comment": text})],
    "GET /v1/runs": [lambda *_: ("/v1/runs", None)],
    "POST /v1/threads/{id}/runs": [
        lambda made, text: (f"/v1/threads/{made.thread}/runs", {"agent": "helper", "input": text, "stream": True})
    ],
    "POST /v1/threads/{id}/runs/{run}/resume": [
        lambda made, text: (f"/v1/threads/{made.waiting_thread}/runs/{made.waiting}/resume", _decided(made, text))
    ],
    "POST /v1/threads/{id}/runs/{run}/replay": [
        lambda made, text: (
            f"/v1/threads/{made.thread}/runs/{made.run}/replay",
            {"after": 0, "input": text, "stream": True},
        )
    ],
    "POST /v1/threads/{id}/runs/{run}/cancel": [
        lambda made, _: (f"/v1/threads/{made.thread}/runs/{made.run}/cancel", None)
    ],
    "GET /v1/threads/{id}/runs": [lambda made, _: (f"/v1/threads/{made.thread}/runs", None)],
    "GET /v1/threads/{id}/runs/{run}": [lambda made, _: (f"/v1/threads/{made.thread}/runs/{made.run}", None)],
    "GET /v1/threads/{id}/runs/{run}/events": [
        lambda made, _: (f"/v1/threads/{made.thread}/runs/{made.run}/events", None)
    ],
    "GET /v1/threads/{id}/history": [lambda made, _: (f"/v1/threads/{made.thread}/history", None)],
}
"""A call of each route that reaches a model, with a text where the caller's words go."""
ROUTES = {operation.id: operation.reach for operation in OPERATIONS}
CASES = [(route, number) for route, examples in EXAMPLES.items() for number in range(len(examples))]
ASKING = [case for case in CASES if ROUTES[case[0]].question]
SENDING = [case for case in ASKING if ROUTES[case[0]].is_bounded]
ANSWERING = [case for case in CASES if ROUTES[case[0]].answer and not case[0].endswith("/resume")]
"""What resume answers holds words of callers only: its run has not gone on yet."""

LISTING_RUNS = ("GET /v1/runs", "GET /v1/threads/{id}/runs")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningAgents]:
    async with running_agents(tmp_path_factory.mktemp("agents")) as running:
        running.takes(*SPEAKS)
        found = hit(f"The contact is {MAIL}, who knows.", title=f"Contact {MAIL}", source=f"{MAIL}.md")
        running.gateway.seen.hits.append(found.model_dump(mode="json"))
        for agent in (HELPER, CAREFUL):
            await running.call("POST", "/v1/agents", 201, json=agent)
        await running.call("POST", "/v1/prompts", 201, json=GREETING)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(agents: RunningAgents) -> Made:
    """A run that ended and one that waits, both of a key without rules."""
    thread, run = await _run(agents, "helper", agents.key)
    waiting_thread, waiting = await _run(agents, "careful", agents.key)
    pending = waiting["pending_tool_calls"]
    return Made(thread, run["id"], waiting_thread, waiting["id"], pending[0]["id"])


async def _run(agents: RunningAgents, agent: str, key: str, text: str = "Go on.") -> tuple[str, dict[str, Any]]:
    """A thread, and a run on it as far as it goes by itself."""
    thread = (await agents.call("POST", "/v1/threads", 201, json={}, key=key))["id"]
    begun = await agents.call("POST", f"/v1/threads/{thread}/runs", 202, json={"agent": agent, "input": text}, key=key)
    async with asyncio.timeout(60):
        while True:
            run = await agents.call("GET", f"/v1/threads/{thread}/runs/{begun['id']}", key=key)
            if run["status"] in (*FINAL_RUN_STATUSES, "waiting_approval"):
                return thread, run
            await asyncio.sleep(0.02)


async def _answer(agents: RunningAgents, case: tuple[str, int], made: Made, text: str, key: str) -> tuple[int, str]:
    route, number = case
    path, body = EXAMPLES[route][number](made, text)
    options = {} if body is None else {"json": body}
    answer = await agents.gateway.call(route.split(" ")[0], path, key, **options)
    return answer.status, await answer.text()


async def _key(agents: RunningAgents, **rules: Any) -> str:
    return str((await agents.gateway.new_key(scopes=SCOPES, guardrails=rules))["secret"])


async def test_every_public_route_is_in_the_table_and_each_that_reaches_a_model_has_an_example(
    agents: RunningAgents,
) -> None:
    document = await (await agents.gateway.call("GET", "/openapi.json")).json()
    assert {operation.name for operation in operations(document)} == set(ROUTES)
    assert {name for name, reach in ROUTES.items() if reach.reaches_a_model} == set(EXAMPLES)


@pytest.mark.parametrize("case", ASKING)
async def test_what_a_key_may_not_send_goes_to_nobody(agents: RunningAgents, made: Made, case: tuple[str, int]) -> None:
    key = await _key(agents, input={"pii": "block"})
    before = len(agents.model.requests), len(agents.gateway.seen.calls)
    status, text = await _answer(agents, case, made, f"Who is {MAIL}?", key)
    assert (status, json.loads(text)["error"]["code"]) == (400, "content_blocked")
    assert (len(agents.model.requests), len(agents.gateway.seen.calls)) == before


@pytest.mark.parametrize("case", SENDING)
async def test_no_more_than_a_key_may_send_at_once_goes_to_anybody(
    agents: RunningAgents, made: Made, case: tuple[str, int]
) -> None:
    key = await _key(agents, max_input_chars=200)
    before = len(agents.model.requests), len(agents.gateway.seen.calls)
    status, text = await _answer(agents, case, made, "word " * 50, key)
    assert (status, json.loads(text)["error"]["code"]) == (400, "input_too_long")
    assert (len(agents.model.requests), len(agents.gateway.seen.calls)) == before


@pytest.mark.parametrize("case", ANSWERING)
async def test_what_a_key_may_not_see_is_masked_in_every_answer(
    agents: RunningAgents, made: Made, case: tuple[str, int]
) -> None:
    _, plain = await _answer(agents, case, made, "Who is the contact?", agents.key)
    assert MAIL in plain
    status, text = await _answer(
        agents, case, made, "Who is the contact?", await _key(agents, output={"pii": "redact"})
    )
    assert status < 400, text
    assert MAIL not in text
    assert MASK in text


@pytest.mark.parametrize("case", ANSWERING)
async def test_what_a_key_may_not_receive_is_refused_in_every_answer(
    agents: RunningAgents, made: Made, case: tuple[str, int]
) -> None:
    status, text = await _answer(agents, case, made, "Who is the contact?", await _key(agents, output={"pii": "block"}))
    assert MAIL not in text
    if case[0] in LISTING_RUNS:
        assert status == 200, text
        assert "" in [run["output"] for run in json.loads(text)["data"]], "the others are listed"
        return
    assert "content_blocked" in text, (status, text)
    assert status == (400 if text.startswith("{") else 200)  # an error inside a stream that has begun is an event


async def test_a_run_whose_model_says_what_its_key_may_not_receive_fails_and_says_so(agents: RunningAgents) -> None:
    _, run = await _run(agents, "helper", await _key(agents, output={"pii": "block"}))
    assert (run["status"], run["error"]["code"]) == ("failed", "content_blocked")
    assert "pii (email)" in run["error"]["message"]
    assert run["error"]["retryable"] is False


async def test_what_a_run_says_is_masked_once_for_all_who_read_it(agents: RunningAgents) -> None:
    thread, run = await _run(agents, "helper", await _key(agents, output={"pii": "redact"}))
    path = f"/v1/threads/{thread}/runs/{run['id']}"
    assert run["output"] == f"It is 42, says {MASK}."
    assert (await agents.call("GET", path))["output"] == run["output"]
    events = await (await agents.gateway.call("GET", f"{path}/events", agents.key)).text()
    assert MAIL not in events


async def test_a_run_that_is_read_on_from_any_event_shows_no_part_of_what_is_masked(agents: RunningAgents) -> None:
    thread, run = await _run(agents, "helper", agents.key)
    key = await _key(agents, output={"pii": "redact"})
    path = f"/v1/threads/{thread}/runs/{run['id']}/events"

    async def read_on(after: int) -> list[str]:
        answer = await agents.gateway.call("GET", path, key, headers={"Last-Event-ID": str(after)})
        return [frame for frame in (await answer.text()).split("\n\n") if frame and not frame.startswith(":")]

    whole = await read_on(0)
    assert MASK in "".join(json.loads(frame.split("data: ")[1])["data"].get("text", "") for frame in whole)
    assert [await read_on(after) for after in range(len(whole))] == [whole[after:] for after in range(len(whole))]


async def test_what_was_said_before_reaches_a_model_only_as_the_key_of_the_run_may_send_it(
    agents: RunningAgents,
) -> None:
    thread, _ = await _run(agents, "helper", agents.key, f"I am {MAIL}.")
    key = await _key(agents, input={"pii": "redact"})
    body = {"agent": "helper", "input": "And now?", "stream": True}
    await (await agents.gateway.call("POST", f"/v1/threads/{thread}/runs", key, json=body)).text()
    asked = agents.model.requests[-1].model_dump_json()
    assert MAIL not in asked
    assert f"I am {MASK}." in asked


async def test_what_a_replay_takes_over_reaches_a_model_and_its_reader_only_as_its_key_may_have_it(
    agents: RunningAgents,
) -> None:
    thread, run = await _run(agents, "helper", agents.key, f"I am {MAIL}.")
    key = await _key(agents, input={"pii": "redact"}, output={"pii": "redact"})
    path = f"/v1/threads/{thread}/runs/{run['id']}/replay"
    events = await (await agents.gateway.call("POST", path, key, json={"after": 1, "stream": True})).text()
    asked = agents.model.requests[-1].model_dump_json()
    assert MAIL not in asked
    assert f"I am {MASK}." in asked
    replay = json.loads(events.split("data: ")[1].split("\n")[0])
    own = next(one for one in (await agents.call("GET", "/v1/runs", key=key))["data"] if one["id"] == replay["run_id"])
    history = (await agents.call("GET", f"/v1/threads/{own['thread_id']}/history", key=key))["data"]
    spoken = [said for said in history if said["role"] == "assistant"]
    assert [said["run_id"] for said in spoken] == [run["id"], own["id"]]
    for said in spoken:
        assert MASK in said["content"]
        assert MAIL not in said["content"]
    blocked = await _key(agents, output={"pii": "block"})
    refused = await agents.gateway.call("GET", f"/v1/threads/{own['thread_id']}/history", blocked)
    assert (refused.status, "content_blocked" in await refused.text()) == (400, True)


async def test_what_a_key_may_not_send_is_masked_in_what_it_keeps(agents: RunningAgents) -> None:
    key = await _key(agents, input={"pii": "redact"})
    thread = await agents.call("POST", "/v1/threads", 201, json={"metadata": {"title": f"About {MAIL}"}}, key=key)
    said = [{"role": "user", "content": f"I am {MAIL}."}, {"role": "assistant", "content": f"Hello, {MAIL}."}]
    path = f"/v1/threads/{thread['id']}"
    await agents.call("POST", f"{path}/messages", 201, json={"messages": said}, key=key)
    changed = await agents.call("PATCH", path, json={"metadata": {"who": MAIL}}, key=key)
    assert changed["metadata"] == {"title": f"About {MASK}", "who": MASK}
    history = await agents.call("GET", f"{path}/history")
    assert [message["content"] for message in history["data"]] == [f"I am {MASK}.", f"Hello, {MASK}."]


async def test_a_finding_of_a_run_is_counted_once(agents: RunningAgents) -> None:
    def counted(text: str) -> float:
        name = 'groundwork_gateway_guardrails_total{action="flag",guard="pii",where="output"}'
        return sum(float(line.split(" ")[1]) for line in text.split("\n") if line.startswith(name))

    async def metrics() -> float:
        answer = await agents.gateway.session.get(f"{agents.gateway.metrics_url}/metrics")
        return counted(await answer.text())

    before, key = await metrics(), await _key(agents, output={"pii": "flag"})
    thread, run = await _run(agents, "helper", key)
    for path in ("events", ""):
        await (
            await agents.gateway.call("GET", f"/v1/threads/{thread}/runs/{run['id']}/{path}".rstrip("/"), key)
        ).text()
    assert await metrics() - before == 2  # one for each time that the model said it
