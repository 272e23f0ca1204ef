"""Every error of an app is answered with the envelope, and tells no more than the caller may know."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from contracts.retrieval.collections import CollectionCreate
from servicekit.core.errors import PayloadTooLarge, QueueFull
from servicekit.web.error_handlers import BodyRefused, from_validation, install_error_handlers
from servicekit.web.request_context import RequestContext

RAISED: dict[str, Exception] = {
    "bug": RuntimeError("secret detail"),
    "full": OSError(errno.ENOSPC, "secret path"),
    "busy": QueueFull("All slots are taken.", retry_after=7),
    "refused": BodyRefused(PayloadTooLarge("Too long.")),
    "left": ClientDisconnect(),
    "odd": HTTPException(418, "no coffee"),
    "unreadable": HTTPException(400, "There was an error parsing the body"),
}


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    install_error_handlers(app)

    @app.post("/collections")
    async def create(body: CollectionCreate) -> dict[str, str]:
        return {"name": body.name}

    @app.get("/collections")
    async def names() -> list[str]:
        return []

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise RAISED[name]

    app.add_middleware(RequestContext, service="errors")
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def _error(response: Any) -> dict[str, Any]:
    body = response.json()["error"]
    assert body["request_id"] == response.headers["x-request-id"]
    return dict(body)


def test_an_unexpected_error_tells_the_caller_nothing_but_the_request_id(client: TestClient) -> None:
    response = client.get("/raise/bug")
    assert response.status_code == 500
    assert _error(response)["type"] == "internal"
    assert "secret detail" not in response.text


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ('{"name": ', "malformed_json", None),
        ('{"name": "UPPER"}', "invalid_body", "name"),
        ('{"name": "ok", "colour": 1}', "invalid_body", "colour"),
        ('{"name": "ok", "chunking": {"strategy": "magic"}}', "invalid_body", "chunking.strategy"),
    ],
)
def test_a_body_that_does_not_match_gets_422_with_its_field(
    client: TestClient, body: str, code: str, param: str | None
) -> None:
    response = client.post("/collections", content=body, headers={"Content-Type": "application/json"})
    error = _error(response)
    assert (response.status_code, error["type"], error["code"], error["param"]) == (422, "invalid_request", code, param)


def test_a_name_that_does_not_fit_is_answered_with_what_names_may_hold(client: TestClient) -> None:
    message = _error(client.post("/collections", json={"name": "a/b"}))["message"]
    assert message == (
        "name: must be 1 to 63 characters long, of small letters (a-z), digits, '_' and '-', "
        "and begin with a small letter or a digit. The API's schema is at /openapi.json."
    )


def test_unknown_paths_and_methods_get_the_envelope(client: TestClient) -> None:
    assert _error(client.get("/nowhere"))["type"] == "not_found"
    response = client.delete("/collections")
    assert (response.status_code, _error(response)["code"]) == (405, "method_not_allowed")


def test_a_method_that_is_not_allowed_is_told_all_that_are(client: TestClient) -> None:
    response = client.request("TRACE", "/collections")
    assert response.headers["Allow"] == "GET, POST"
    assert "only GET, POST" in _error(response)["message"]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("full", 503, "disk_full"),
        ("busy", 429, "queue_full"),
        ("refused", 413, "too_large"),
        ("odd", 400, "bad_request"),
        ("unreadable", 422, "malformed_json"),
    ],
)
def test_each_kind_of_error_has_its_status_and_its_code(client: TestClient, name: str, status: int, code: str) -> None:
    response = client.get(f"/raise/{name}")
    assert (response.status_code, _error(response)["code"]) == (status, code)
    assert "secret" not in response.text


def test_an_error_that_says_when_to_come_back_says_it_in_a_header(client: TestClient) -> None:
    assert client.get("/raise/busy").headers["retry-after"] == "7"
    assert "retry-after" not in client.get("/raise/odd").headers


def test_a_caller_that_left_gets_no_envelope_and_is_no_failure_of_ours(client: TestClient) -> None:
    response = client.get("/raise/left")
    assert (response.status_code, response.content) == (499, b"")


@pytest.mark.parametrize(
    ("location", "param"),
    [
        (("body", "messages", 0, "content"), "messages.0.content"),
        (("query", "limit"), "limit"),
        (("path", "id"), "id"),
        (("body",), None),
        (("other", "body"), "other.body"),
        ((), None),
    ],
)
def test_what_is_wrong_is_named_by_its_dotted_path_in_what_was_sent(
    location: tuple[str | int, ...], param: str | None
) -> None:
    failure = RequestValidationError([{"type": "value_error", "loc": location, "msg": "Value error, too much of it"}])
    error = from_validation(failure)
    assert error.param == param
    assert error.message.startswith(f"{param}: too much of it. " if param else "too much of it. ")
