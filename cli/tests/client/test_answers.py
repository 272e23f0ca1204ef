from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from cli.tests.server import client_of, sse

from contracts.models.chat import AnswerOptions
from groundwork.client import AnswerDone, ApiError, TextDelta, UnexpectedAnswer

CITATION = {
    "type": "url_citation",
    "url_citation": {"start_index": 6, "end_index": 9, "url": "/v1/collections/c/documents/d/content", "title": "T"},
    "index": 6,
    "marker": "[1]",
    "collection": "c",
    "document_id": "d",
    "revision": 1,
    "chunk_id": "k",
    "title": "T",
    "source": "t.md",
    "quote": "q",
    "start": 0,
    "end": 1,
    "score": 0.5,
}
REPORT = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["c"]}


def chunk(content: str | None = None, **fields: Any) -> dict[str, Any]:
    delta = {"content": content, "annotations": fields.pop("annotations", None)}
    return {"id": "x", "created": 1, "model": "rag:c", "choices": [{"index": 0, "delta": delta}], **fields}


def test_a_stream_gives_deltas_then_the_whole_answer() -> None:
    stream = sse(
        chunk("Hello "),
        chunk("[1]", annotations=[CITATION]),
        chunk(groundwork=REPORT, usage={"total_tokens": 3}),
        "[DONE]",
    )
    with client_of(lambda _: stream) as client:
        *deltas, done = client.ask_stream("c", "q")
    assert deltas == [TextDelta("Hello "), TextDelta("[1]")]
    assert isinstance(done, AnswerDone)
    assert done.answer.text == "Hello [1]"
    assert [note.marker for note in done.answer.citations] == ["[1]"]
    assert done.answer.report is not None
    assert done.answer.report.grounded
    assert done.answer.usage is not None
    assert done.answer.usage.total_tokens == 3
    assert done.answer.id == "x", "what feedback names it by"


def test_an_error_inside_a_stream_is_raised_with_its_code() -> None:
    envelope = {"error": {"type": "upstream_error", "code": "model_died", "message": "It died.", "request_id": "r"}}
    with client_of(lambda _: sse(chunk("Hel"), error=envelope)) as client, pytest.raises(ApiError) as caught:
        list(client.ask_stream("c", "q"))
    assert (caught.value.code, caught.value.status) == ("model_died", 200)


def test_a_stream_without_its_end_is_not_taken_for_a_whole_answer() -> None:
    with client_of(lambda _: sse(chunk("Hel"))) as client, pytest.raises(UnexpectedAnswer, match="broke off"):
        list(client.ask_stream("c", "q"))


def test_an_error_before_the_stream_is_an_api_error() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(404, json={"error": {"type": "not_found", "code": "nope", "message": "No."}})

    with client_of(refuse) as client, pytest.raises(ApiError, match=r"No\.") as caught:
        list(client.ask_stream("c", "q"))
    assert caught.value.status == 404


def test_a_question_works_from_any_openai_server_unless_options_are_given() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        message = {"role": "assistant", "content": "A", "annotations": [CITATION]}
        choices = [{"index": 0, "message": message}]
        return httpx2.Response(200, json={"id": "x", "created": 1, "model": "m", "choices": choices})

    with client_of(answer) as client:
        assert client.ask(["a", "b"], "q").id == "x"
        client.ask("a", "q", AnswerOptions(top_k=3, grounding="strict"))
    assert bodies[0]["model"] == "rag:a,b"
    assert "groundwork" not in bodies[0]
    assert bodies[1]["groundwork"] == {"top_k": 3, "grounding": "strict"}


def test_a_route_is_asked_for_a_person_and_its_answer_has_what_it_rests_on() -> None:
    bodies: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append({**json.loads(request.content), "key": request.headers["Authorization"]})
        message = {"role": "assistant", "content": "A", "annotations": [CITATION]}
        choices = [{"index": 0, "message": message}]
        return httpx2.Response(200, json={"id": "x", "created": 1, "model": "m", "choices": choices})

    with client_of(answer) as client, client.with_key("gw_other") as other:
        found = other.answer("support", "q", user="jane")
        client.answer("support", "q")
    assert (found.id, found.text, len(found.citations)) == ("x", "A", 1)
    asked = {"model": "support", "messages": [{"role": "user", "content": "q"}]}
    assert bodies[0] == {**asked, "user": "jane", "key": "Bearer gw_other"}
    assert {name: bodies[1][name] for name in asked} == asked
    assert "user" not in bodies[1]
    assert bodies[1]["key"] != bodies[0]["key"]
