"""The agent's call as `docs/architecture.md` lists it: statuses, codes, shapes, streams, who may ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai.types.chat.chat_completion_message import Annotation as OpenAiAnnotation
from tests.support.agent.service import Peers, Tokens, agent_client, events_of

from agent.testing.scripted_answers import CAPABLE, PACKAGED, ScriptedModels, ScriptedSearch, echo, hit
from contracts.core.errors import ErrorBody, ErrorEnvelope
from contracts.core.health import Health
from contracts.models.chat import ChatCompletion, ChatCompletionChunk
from servicekit.core.errors import NotFound, PeerError, RateLimited, UpstreamFailed

LEAVE = hit(
    "# Leave Policy\n\nFull-time employees get 27 days of paid leave per year.\n\nUnused days expire on 30 June.",
    "leave",
)
QUESTION = "How many days of paid leave do full-time employees get per year?"
RIGHT = "Full-time employees get 27 days of paid leave per year."
CALL = "/v1/chat/completions"
WAIT_SECONDS = 60.0


def _body(question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "rag:handbook", "messages": [{"role": "user", "content": question}], **more}


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path)


@pytest.fixture
def peers() -> Peers:
    return Peers(ScriptedSearch([LEAVE]), ScriptedModels(echo(RIGHT), CAPABLE))


@pytest.fixture
async def client(peers: Peers, tokens: Tokens) -> AsyncIterator[httpx2.AsyncClient]:
    async with agent_client(peers, tokens) as opened:
        yield opened


def _error(response: httpx2.Response, status: int, code: str) -> None:
    error = ErrorEnvelope.model_validate_json(response.content).error
    assert (response.status_code, error.code) == (status, code), response.text
    assert error.request_id == response.headers["x-request-id"]


async def test_a_whole_answer_has_openai_s_shape_with_citations_and_a_report(client: httpx2.AsyncClient) -> None:
    response = await client.post(CALL, json=_body(groundwork={"include": ["sources", "receipt"]}))
    answer = ChatCompletion.model_validate_json(response.content)
    assert answer.choices[0].message.content == f"{RIGHT} [1]"
    raw = response.json()["choices"][0]["message"]["annotations"][0]
    assert set(raw) == {
        "type", "url_citation", "index", "marker", "collection", "document_id", "revision", "chunk_id", "title",
        "source", "page", "quote", "start", "end", "score", "supported",
    }  # fmt: skip
    assert raw["quote"] == LEAVE.text[raw["start"] : raw["end"]] == RIGHT
    assert answer.groundwork is not None
    assert (answer.groundwork.answer_kind, answer.groundwork.grounded) == ("generated", True)
    assert answer.groundwork.receipt is not None
    assert answer.groundwork.receipt.request_id == response.headers["x-request-id"]
    assert "sources" not in (await client.post(CALL, json=_body())).json()["groundwork"]


async def test_a_stream_is_the_same_answer_in_chunks(client: httpx2.AsyncClient) -> None:
    whole = ChatCompletion.model_validate_json((await client.post(CALL, json=_body())).content)
    response = await client.post(CALL, json=_body(stream=True, stream_options={"include_usage": True}))
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.text)
    assert events[-1] == ("message", None)
    chunks = [ChatCompletionChunk.model_validate(data) for _, data in events[:-1]]
    content = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert content == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].groundwork == whole.groundwork
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("leave.md", "/v1/collections/handbook/documents/leave/content"),
        ("https://wiki.example/leave?v=2", "https://wiki.example/leave?v=2"),
    ],
)
async def test_citations_are_those_of_openai_with_one_url_for_a_marker(
    client: httpx2.AsyncClient, peers: Peers, stream: bool, source: str, url: str
) -> None:
    peers.search.hits = [LEAVE.model_copy(update={"source": source})]
    response = await client.post(CALL, json=_body(stream=stream, groundwork={"grounding": "annotate"}))
    answers = [data for _, data in events_of(response.text) if data] if stream else [response.json()]
    said = [choice["delta" if stream else "message"] for answer in answers for choice in answer["choices"]]
    content = "".join(one.get("content") or "" for one in said)
    notes = [note for one in said for note in one.get("annotations") or ()]
    assert notes
    for note in notes:
        cited = OpenAiAnnotation.model_validate(note, strict=True).url_citation
        assert content[cited.start_index : cited.end_index] == note["marker"]
        assert (cited.start_index, cited.url, cited.title) == (note["index"], url, note["title"])


async def test_usage_is_streamed_only_when_asked_for(client: httpx2.AsyncClient) -> None:
    events = events_of((await client.post(CALL, json=_body(stream=True))).text)
    assert all(data is None or (data["choices"] and "usage" not in data) for _, data in events)


async def test_the_caller_s_token_is_forwarded_and_no_other(client: httpx2.AsyncClient, peers: Peers) -> None:
    await client.post(CALL, json=_body())
    assert peers.tokens == {client.headers["Authorization"]}


@pytest.mark.parametrize("stream", [True, False])
async def test_an_unknown_collection_is_the_retriever_s_404(
    client: httpx2.AsyncClient, peers: Peers, stream: bool
) -> None:
    missing = NotFound("There is no collection 'handbook'.", param="collection")
    missing.code = "collection_not_found"
    peers.search.failure = missing
    _error(await client.post(CALL, json=_body(stream=stream)), 404, "collection_not_found")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_limit_of_the_key_keeps_its_status_and_retry_after(
    client: httpx2.AsyncClient, peers: Peers, stream: bool
) -> None:
    peers.models.failure = RateLimited("Too many requests.", retry_after=7)
    response = await client.post(CALL, json=_body(stream=stream))
    _error(response, 429, "rate_limited")
    assert response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "rag:handbook", "messages": []}, 422, "invalid_body"),
        ({"model": "rag:handbook", "messages": [{"role": "assistant", "content": "Hi"}]}, 400, "question_missing"),
        ({"model": "rag:handbook", "messages": [{"role": "user", "content": " "}]}, 400, "question_missing"),
        ({"model": "gpt", "messages": [{"role": "user", "content": "Hi"}]}, 404, "model_not_found"),
        ({"model": "rag:A B", "messages": [{"role": "user", "content": "Hi"}]}, 400, "invalid_collection"),
        (_body(groundwork={"mode": "psychic"}), 422, "invalid_body"),
        (_body(groundwork={"topk": 3}), 422, "invalid_body"),
        (_body(groundwork={"model": "gpt-9"}), 404, "model_not_found"),
        (_body(n=3), 400, "option_not_supported"),
    ],
)
async def test_bad_input_has_its_status_and_code(
    client: httpx2.AsyncClient, body: dict[str, Any], status: int, code: str
) -> None:
    _error(await client.post(CALL, json=body), status, code)


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_are_not_used_and_the_answer_says_so(client: httpx2.AsyncClient, stream: bool) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    body = _body(stream=stream, tools=[tool], tool_choice="auto", groundwork={"include": ["receipt"]})
    response = await client.post(CALL, json=body)
    answers = [data for _, data in events_of(response.text) if data] if stream else [response.json()]
    report = next(answer["groundwork"] for answer in answers if answer.get("groundwork"))
    assert report["degraded"] == report["receipt"]["degraded"] == ["tools_ignored"]
    assert (await client.post(CALL, json=_body())).json()["groundwork"]["degraded"] == []


async def test_only_calls_with_a_token_for_the_agent_are_answered(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    for token in ("unsigned", "x.y.z", tokens.token(("retriever",)), tokens.token(lifetime_seconds=-60)):
        response = await client.post(CALL, json=_body(), headers={"Authorization": f"Bearer {token}"})
        _error(response, 401, "invalid_delegation")
    other = {"Authorization": f"Bearer {tokens.token(collections=('other',))}"}
    _error(await client.post(CALL, json=_body(), headers=other), 403, "collection_not_allowed")


async def test_a_model_that_breaks_off_ends_the_stream_with_an_error_event(tokens: Tokens) -> None:
    models = ScriptedModels(echo(RIGHT), CAPABLE, failure=UpstreamFailed("It broke."), fail_after=6)
    async with agent_client(Peers(ScriptedSearch([LEAVE]), models), tokens) as client:
        response = await client.post(CALL, json=_body(stream=True))
    assert response.status_code == 200
    name, data = events_of(response.text)[-1]
    assert name == "error"
    assert data is not None
    assert ErrorBody.model_validate(data["error"]).code == "upstream_error"


async def test_a_caller_that_goes_away_ends_the_model_s_work(tokens: Tokens) -> None:
    models = ScriptedModels(echo(RIGHT), CAPABLE, never_ends=True)
    for stream in (True, False):
        peers = Peers(ScriptedSearch([LEAVE]), models)
        async with agent_client(peers, tokens) as client, asyncio.timeout(WAIT_SECONDS):
            asking = asyncio.create_task(_read_some(client, stream))
            await peers.begun.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await peers.left.wait()


async def _read_some(client: httpx2.AsyncClient, stream: bool) -> None:
    async with client.stream("POST", CALL, json=_body(stream=stream)) as response:
        async for _ in response.aiter_bytes():
            pass


async def test_a_silent_stream_is_kept_alive_by_comments(tokens: Tokens) -> None:
    models = ScriptedModels(echo(RIGHT), CAPABLE, never_ends=True)
    async with agent_client(
        Peers(ScriptedSearch([LEAVE]), models), tokens, keepalive_seconds=0.05, deadline_seconds=5
    ) as client:
        response = await client.post(CALL, json=_body(stream=True, groundwork={"grounding": "strict"}))
    assert ": waiting\n\n" in response.text
    assert events_of(response.text)[-1] == ("message", None)


async def test_readiness_names_each_peer(client: httpx2.AsyncClient, peers: Peers) -> None:
    parts = Health.model_validate_json((await client.get("/readyz")).content).parts
    assert parts.keys() == {"retriever", "models", "database", "redis", "runs", "records", "disk"}
    peers.search.failure = UpstreamFailed("broken")
    response = await client.get("/readyz")
    assert response.status_code == 503


async def test_answers_are_counted(client: httpx2.AsyncClient) -> None:
    await client.post(CALL, json=_body(groundwork={"grounding": "strict"}))
    metrics = (await client.get("/metrics")).text
    assert 'groundwork_answers_total{grounding="strict",kind="generated"}' in metrics
    assert 'groundwork_answer_stage_seconds_count{stage="retrieve"}' in metrics


def test_a_peer_s_error_body_is_passed_on() -> None:
    error = PeerError(404, ErrorBody(type="not_found", code="collection_not_found", message="There is none."))
    assert error.body("req_1").code == "collection_not_found"


FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "leave",
        "schema": {
            "type": "object",
            "properties": {"days": {"type": ["integer", "null"]}, "dress_code": {"type": ["string", "null"]}},
            "required": ["days", "dress_code"],
        },
    },
}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_schema_is_filled_in_with_a_citation_for_each_value(tokens: Tokens, stream: bool) -> None:
    models = ScriptedModels(echo('{"days": 27, "dress_code": "smart casual"}'), CAPABLE)
    async with agent_client(Peers(ScriptedSearch([LEAVE]), models), tokens) as client:
        response = await client.post(CALL, json=_body(response_format=FORM, stream=stream))
    assert response.status_code == 200
    if stream:
        bodies = [body for _, body in events_of(response.text) if body is not None]
        content = "".join(choice["delta"].get("content") or "" for body in bodies for choice in body["choices"])
        report = next(body["groundwork"] for body in bodies if body.get("groundwork"))
    else:
        content, report = response.json()["choices"][0]["message"]["content"], response.json()["groundwork"]
    assert json.loads(content) == {"days": 27, "dress_code": None}
    (cited,) = report["fields"]["/days"]
    assert LEAVE.text[cited["start"] : cited["end"]] == cited["quote"]
    assert report["fields"]["/dress_code"] == []
    assert report["degraded"] == ["fields_unsupported"]


async def test_what_no_model_here_can_do_is_refused_with_what_to_do(client: httpx2.AsyncClient, peers: Peers) -> None:
    peers.models.info = PACKAGED
    for stream in (False, True):
        _error(await client.post(CALL, json=_body(response_format=FORM, stream=stream)), 400, "model_needed")
    _error(await client.post(CALL, json=_body(response_format={"type": "json_object"})), 400, "invalid_schema")
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    seen = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]
    _error(await client.post(CALL, json={**_body(), "messages": seen}), 400, "content_unsupported")
    _error(await client.post(CALL, json=_body(groundwork={"style": "florid"})), 422, "invalid_body")


async def test_an_abstention_has_its_closest_documents_and_an_answer_has_none(tokens: Tokens) -> None:
    silent, speaking = (ScriptedModels(echo(says), CAPABLE) for says in ("NO ANSWER", RIGHT))
    async with agent_client(Peers(ScriptedSearch([LEAVE]), silent), tokens) as client:
        refused = (await client.post(CALL, json=_body())).json()
    assert refused["groundwork"]["closest"] == [{"collection": "handbook", "document_id": "leave", "title": "leave"}]
    async with agent_client(Peers(ScriptedSearch([LEAVE]), speaking), tokens) as client:
        answered = (await client.post(CALL, json=_body())).json()
    assert {"closest", "fields"}.isdisjoint(answered["groundwork"])
