from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY

SEARCH = {"query": "lantern", "collections": ["handbook"]}


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
    headers = {"Content-Type": "application/json", "X-Scope": "search"}
    assert (await client.post("/v1/search", content=b"{", headers=headers)).status_code == 422
    large = json.dumps({**SEARCH, "query": "lantern " * 4000}).encode()
    assert (await client.post("/v1/search", content=large, headers=headers)).status_code in (200, 422)
