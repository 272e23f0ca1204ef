from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, Request
from starlette.testclient import TestClient

from contracts.access.delegation import Delegation
from servicekit.auth.delegation import Caller, DelegationSigner, require
from servicekit.core.settings import ServiceSettings
from servicekit.web.app import build_app

router = APIRouter()
opened: list[str] = []


@router.get("/whoami")
async def whoami(caller: Annotated[Caller, require("ingest")]) -> dict[str, str]:
    return {"tenant": caller.tenant}


@router.get("/open")
async def dependencies(request: Request) -> list[str]:
    return [request.app.state.dependencies, *opened]


@asynccontextmanager
async def _opening() -> AsyncIterator[str]:
    opened.append("opened")
    yield "dependencies"
    opened.append("closed")


@pytest.fixture
def client(key_file: Path, tmp_path: Path) -> Iterator[TestClient]:
    opened.clear()
    app = build_app(
        "sample",
        settings=ServiceSettings(data_dir=tmp_path, delegation_public_key_file=key_file),
        opening=_opening,
        routers=[router],
        probes=lambda _: {},
    )
    with TestClient(app) as client:
        yield client
    assert opened == ["opened", "closed"]


def test_dependencies_are_open_while_an_app_serves(client: TestClient) -> None:
    assert client.get("/open").json() == ["dependencies", "opened"]


def test_a_path_with_a_slash_too_many_is_sent_nowhere_and_no_page_of_documentation_is_served(
    client: TestClient,
) -> None:
    answers = [client.get(path, follow_redirects=False) for path in ("/open/", "/docs", "/redoc")]
    assert [answer.status_code for answer in answers] == [404] * 3


def test_an_app_counts_its_calls_and_may_leave_it_to_others_to_serve_the_counts(
    client: TestClient, key_file: Path
) -> None:
    assert client.get("/metrics").status_code == 200
    settings = ServiceSettings(delegation_public_key_file=key_file)
    silent = build_app(
        "silent", settings=settings, opening=_opening, routers=[], probes=lambda _: {}, serve_metrics=False
    )
    assert TestClient(silent).get("/metrics").status_code == 404


def test_only_a_token_of_the_right_audience_gets_in(client: TestClient, signer: DelegationSigner) -> None:
    claims = Delegation(audiences=("ingest",), tenant="acme", key_id="k", request_id="r")
    # The app's verifier uses the machine's clock, so the token must outlive the distance from the manual one.
    token = signer.sign(claims, timedelta(days=20_000))
    other = signer.sign(claims.model_copy(update={"audiences": ("agent",)}), timedelta(days=20_000))
    expired = signer.sign(claims, timedelta(seconds=-60_000_000))
    assert client.get("/whoami", headers={"Authorization": f"Bearer {token}"}).json() == {"tenant": "acme"}
    for headers in ({}, {"Authorization": f"Bearer {other}"}, {"Authorization": f"Bearer {expired}"}):
        response = client.get("/whoami", headers=headers)
        assert (response.status_code, response.json()["error"]["type"]) == (401, "authentication")
        assert response.json()["error"]["request_id"] == response.headers["x-request-id"]
