from __future__ import annotations

import re
from pathlib import Path

import httpx2
from services.gateway.tests.installation import Installation

from gateway.api.model_calls import DIRECT_ENDPOINTS
from gateway.bootstrap import create_app
from gateway.settings import GatewaySettings


def test_every_direct_route_calls_the_endpoint_of_a_documented_route(tmp_path: Path) -> None:
    documented = create_app(GatewaySettings(data_dir=tmp_path)).openapi()["paths"]
    for path, endpoint in DIRECT_ENDPOINTS.items():
        assert documented[path]["post"]["summary"].lower() == re.sub("_", " ", endpoint.__name__)


async def test_a_response_of_before_is_refused_by_name(public: httpx2.AsyncClient, installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {await installation.secret()}"}
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")):
        answer = await public.request(method, f"/v1/responses/resp_1{rest}", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "responses_not_kept")


async def test_a_key_without_the_scope_reaches_no_model(public: httpx2.AsyncClient, installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {await installation.secret(scopes=['agents:write'])}"}
    for path in (*DIRECT_ENDPOINTS, "/v1/collections/handbook/search"):
        answer = await public.post(path, json={}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope"), path
    assert installation.inference.asked == installation.retriever.asked == []


async def test_both_paths_of_rerank_are_one_call(public: httpx2.AsyncClient, installation: Installation) -> None:
    installation.inference.answers("/v1/rerank", {"results": [], "usage": {"total_tokens": 5}})
    headers = {"Authorization": f"Bearer {await installation.secret()}"}
    for path in ("/v1/rerank", "/v2/rerank"):
        answer = await public.post(path, json={"query": "q", "documents": ["a"]}, headers=headers)
        assert answer.json()["results"] == []
    assert [(row["route"], row["prompt_tokens"]) for row in await installation.rows()] == [("rerank", 5)] * 2
