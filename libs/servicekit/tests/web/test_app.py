from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Request
from starlette.testclient import TestClient

from contracts.access.delegation import Delegation
from contracts.core.errors import ErrorEnvelope
from contracts.retrieval.collections import CollectionCreate
from servicekit.auth.delegation import Caller, DelegationSigner, require
from servicekit.core.errors import InvalidRequest, NotReady, envelope
from servicekit.core.settings import ServiceSettings
from servicekit.web.app import build_app

router = APIRouter()


@router.post("/collections")
async def create(body: CollectionCreate) -> dict[str, str]:
    return {"name": body.name}


@router.get("/whoami")
async def whoami(caller: Annotated[Caller, require("ingest")]) -> dict[str, str]:
    return {"tenant": caller.tenant}


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError("secret detail")


@router.post("/bytes")
async def count_bytes(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@asynccontextmanager
async def _opening() -> AsyncIterator[str]:
    yield "dependencies"


async def _works() -> None:
    return


async def _fails() -> None:
    raise NotReady("The engine is loading.")


@pytest.fixture
def client(key_file: Path) -> Iterator[TestClient]:
    app = build_app(
        "sample",
        settings=ServiceSettings(delegation_public_key_file=key_file),
        opening=_opening,
        routers=[router],
        probes=lambda dependencies: {"database": _works, "engine": _fails},
        body_limit=lambda _path, _media_type: 64,
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def _error(response: Any) -> dict[str, Any]:
    body = response.json()["error"]
    assert body["request_id"] == response.headers["x-request-id"]
    return dict(body)


def test_a_sane_request_id_is_kept_and_a_hostile_one_replaced(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a b{}"}).headers["x-request-id"].startswith("req_")


def test_readiness_names_the_part_that_fails(client: TestClient) -> None:
    response = client.get("/readyz")
    parts = response.json()["parts"]
    assert response.status_code == 503
    assert parts["database"]["ok"] is True
    assert (parts["engine"]["ok"], parts["engine"]["detail"]) == (False, "The engine is loading.")


def test_an_unexpected_error_tells_the_caller_nothing_but_the_request_id(client: TestClient) -> None:
    response = client.get("/broken")
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


def test_an_error_that_repeats_half_a_character_is_written() -> None:
    told = ErrorEnvelope.model_validate_json(envelope(InvalidRequest("There is no '\ud800'.", param="a\ud800"), "req"))
    assert (told.error.message, told.error.param) == ("There is no '?'.", "a?")


def test_unknown_paths_and_methods_get_the_envelope(client: TestClient) -> None:
    assert _error(client.get("/nowhere"))["type"] == "not_found"
    response = client.delete("/collections")
    assert (response.status_code, _error(response)["code"]) == (405, "method_not_allowed")


def test_a_large_body_is_refused_by_its_declared_size_and_by_count(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x" * 32

    assert client.post("/bytes", content=b"x" * 64).json() == {"bytes": 64}
    for content in (b"x" * 65, endless()):
        response = client.post("/bytes", content=content)
        assert (response.status_code, _error(response)["code"]) == (413, "too_large")


def test_a_large_streamed_json_body_is_413_and_not_a_parse_error(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"name": "'
        for _ in range(10):
            yield b"x" * 32

    response = client.post("/collections", content=endless(), headers={"Content-Type": "application/json"})
    assert (response.status_code, _error(response)["code"]) == (413, "too_large")


def test_only_a_token_of_the_right_audience_gets_in(client: TestClient, signer: DelegationSigner) -> None:
    claims = Delegation(audiences=("ingest",), tenant="acme", key_id="k", request_id="r")
    # The app's verifier uses the machine's clock, so the token must outlive the distance from the manual one.
    token = signer.sign(claims, timedelta(days=20_000))
    other = signer.sign(claims.model_copy(update={"audiences": ("agent",)}), timedelta(days=20_000))
    expired = signer.sign(claims, timedelta(seconds=-60_000_000))
    assert client.get("/whoami", headers={"Authorization": f"Bearer {token}"}).json() == {"tenant": "acme"}
    for headers in ({}, {"Authorization": f"Bearer {other}"}, {"Authorization": f"Bearer {expired}"}):
        response = client.get("/whoami", headers=headers)
        assert (response.status_code, _error(response)["type"]) == (401, "authentication")


def test_metrics_count_calls_by_route_template(client: TestClient) -> None:
    client.get("/nowhere/else")
    text = client.get("/metrics").text
    assert 'groundwork_http_requests_total{method="GET",route="unmatched",service="sample",status="404"}' in text
    assert "nowhere" not in text
