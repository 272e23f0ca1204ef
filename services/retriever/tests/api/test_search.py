from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from services.retriever.tests.conftest import TEXTS, Bench

from contracts.delegation import Delegation, Scope
from retriever.bootstrap import create_app
from retriever.settings import RetrieverSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

SEARCH = {"query": "lantern", "collections": ["handbook"]}


@pytest.fixture
async def client(bench: Bench, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    await bench.index(await bench.create(), "d", 1, TEXTS)
    private, public = generate_key_pair()
    (tmp_path / "delegation.pub").write_bytes(public)
    app = create_app(RetrieverSettings(delegation_public_key_file=tmp_path / "delegation.pub"), bench.parts)
    signer = DelegationSigner(private)

    def token(request: httpx2.Request) -> httpx2.Request:
        scope: Scope = request.headers.get("X-Scope", "search")
        claims = Delegation(
            audiences=("retriever",),
            tenant="acme",
            key_id="k",
            scopes=(scope,),
            collections=("handbook", "none"),
            request_id="req_1",
        )
        request.headers["Authorization"] = f"Bearer {signer.sign(claims, timedelta(minutes=5))}"
        return request

    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://retriever.test", auth=token) as opened:
            yield opened


def _calls(status: int) -> float:
    labels = {"service": "retriever", "method": "POST", "route": "/v1/search", "status": str(status)}
    return REGISTRY.get_sample_value("groundwork_http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("body", "scope", "status"),
    [
        (SEARCH, "search", 200),
        ({**SEARCH, "collections": ["none"]}, "search", 404),
        ({**SEARCH, "collections": ["secret"]}, "search", 403),
        (SEARCH, "documents", 403),
        ({**SEARCH, "limit": 0}, "search", 422),
        ("no object", "search", 422),
    ],
)
async def test_the_plain_route_answers_as_the_framework_s_and_is_counted_as_it(
    client: httpx2.AsyncClient, body: Any, scope: str, status: int
) -> None:
    before, answers = _calls(status), []
    for media_type in ("application/json", "application/json; charset=utf-8"):
        headers = {"Content-Type": media_type, "X-Request-Id": "req_same", "X-Scope": scope}
        answer = await client.post("/v1/search", content=json.dumps(body).encode(), headers=headers)
        content = answer.json()
        content.pop("timings", None)
        answers.append((answer.status_code, content))
    assert answers[0] == answers[1]
    assert answers[0][0] == status
    assert _calls(status) == before + 2


async def test_other_methods_and_broken_bodies_are_the_framework_s(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v1/search")).status_code == 405
    headers = {"Content-Type": "application/json"}
    assert (await client.post("/v1/search", content=b"{", headers=headers)).status_code == 422
    large = json.dumps({**SEARCH, "query": "lantern " * 4000}).encode()
    assert (await client.post("/v1/search", content=large, headers=headers)).status_code in (200, 422)
