from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.callers import Caller

from contracts.documents.documents import DocumentCreate
from contracts.operations.agents import CREATE_RUN, FOLLOW_RUN
from contracts.operations.documents import (
    CREATE_DOCUMENT,
    DELETE_COLLECTION,
    FOLLOW_JOB,
    GET_DOCUMENT_CONTENT,
    GET_DOCUMENT_TEXT,
    LIST_DOCUMENTS,
    RESTORE_DOCUMENT,
)
from contracts.operations.models import CREATE_CHAT_COMPLETION, GET_MODEL
from contracts.operations.operation import Operation
from gateway.api.openapi_parts import CitedResponse, event_of, extra_of, parameters_of, relay, responses_of, serve
from servicekit.web.router import Router


def _names(operation: Operation[Any], place: str) -> list[str]:
    return [parameter["name"] for parameter in parameters_of(operation) if parameter["in"] == place]


async def test_an_answer_that_we_kept_links_to_the_host_of_its_reader() -> None:
    caller, path = Caller(host="docs.example"), "/v1/collections/a/documents/d/content"
    await CitedResponse({"annotations": [{"url": path}]})(*caller.connection)
    assert caller.json == {"annotations": [{"url": f"http://docs.example{path}"}]}
    assert int(caller.headers["content-length"]) == len(caller.pieces[0])


def test_only_what_is_in_the_path_is_required() -> None:
    assert _names(LIST_DOCUMENTS, "path") == ["name"]
    assert _names(LIST_DOCUMENTS, "query") == ["status", "q", "limit", "cursor"]
    assert all(parameter["required"] is (parameter["in"] == "path") for parameter in parameters_of(LIST_DOCUMENTS))


@pytest.mark.parametrize(
    ("operation", "headers"),
    [(FOLLOW_RUN, ["Last-Event-ID"]), (FOLLOW_JOB, []), (CREATE_DOCUMENT, ["Idempotency-Key"]), (LIST_DOCUMENTS, [])],
)
def test_headers_are_told_where_they_have_a_meaning(operation: Operation[Any], headers: list[str]) -> None:
    assert _names(operation, "header") == headers


def test_a_body_is_a_model_a_file_or_an_archive_or_there_is_none() -> None:
    contents = {
        operation.id: list(extra_of(operation).get("requestBody", {}).get("content", {}))
        for operation in (CREATE_CHAT_COMPLETION, CREATE_DOCUMENT, RESTORE_DOCUMENT, LIST_DOCUMENTS)
    }
    assert list(contents.values()) == [
        ["application/json"], ["application/json", "multipart/form-data"], ["application/octet-stream"], [],
    ]  # fmt: skip
    body = extra_of(CREATE_DOCUMENT)["requestBody"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith(f"/{DocumentCreate.__name__}")


@pytest.mark.parametrize(
    ("operation", "answers"),
    [
        (CREATE_DOCUMENT, {202: "model", 200: "model"}),
        (DELETE_COLLECTION, {204: "nothing", 202: "nothing"}),
        (GET_DOCUMENT_CONTENT, {200: "*/*"}),
        (GET_DOCUMENT_TEXT, {200: "text/plain"}),
        (FOLLOW_JOB, {200: "text/event-stream"}),
    ],
)
def test_each_success_is_told_in_its_form(operation: Operation[Any], answers: dict[int, str]) -> None:
    told = {}
    for status, response in responses_of(operation).items():
        told[status] = "model" if "model" in response else next(iter(response.get("content", {})), "nothing")
    assert told == answers


def test_what_streams_if_it_is_asked_to_is_told_whole_and_as_events() -> None:
    chat = responses_of(CREATE_CHAT_COMPLETION)
    assert chat[200]["model"] is CREATE_CHAT_COMPLETION.reply
    schema = chat[200]["content"]["text/event-stream"]["schema"]
    assert CREATE_CHAT_COMPLETION.event is not None
    chunk, end = schema["properties"]["data"]["anyOf"]
    assert chunk["contentSchema"]["$ref"].endswith(CREATE_CHAT_COMPLETION.event.__name__)
    assert end["const"] == "[DONE]", "which is no JSON"
    run = responses_of(CREATE_RUN)
    assert set(run) == {CREATE_RUN.status, 200}
    assert "text/event-stream" in run[200]["content"]


def test_an_event_of_any_text_is_not_said_to_be_json() -> None:
    assert event_of()["properties"]["data"] == {"type": "string"}


def test_a_route_is_its_operations_and_takes_a_name_with_slashes_where_there_are_some() -> None:
    routes = Router()

    async def endpoint() -> None:
        raise AssertionError("nobody calls")

    serve(routes, GET_MODEL)(endpoint)
    relay(routes, DELETE_COLLECTION)(endpoint)
    shown, deleted = routes.routes
    assert (shown.path, shown.methods) == ("/v1/models/{id:path}", {"GET"})  # type: ignore[attr-defined]
    assert (deleted.path, deleted.status_code) == ("/v1/collections/{name}", 204)  # type: ignore[attr-defined]
