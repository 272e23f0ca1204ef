"""A token opens what its scopes name, at each service behind the gateway, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

import httpx2
import pytest
from fastapi import FastAPI

from agent.bootstrap import create_app as agent_app
from agent.settings import AgentSettings
from contracts.access.delegation import Audience, Delegation, Scope
from gateway.bootstrap import create_model_plane
from gateway.settings import GatewaySettings
from inference.bootstrap import create_app as inference_app
from inference.settings import InferenceSettings
from ingest.bootstrap import create_app as ingest_app
from ingest.settings import IngestSettings
from lab.bootstrap import create_app as lab_app
from lab.settings import LabSettings
from retriever.bootstrap import create_app as retriever_app
from retriever.settings import RetrieverSettings
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

OPEN = ("/healthz", "/readyz", "/metrics")
BY_GRANT = ("/v1/tokens", "/v1/usage", "/v1/spent", "/v1/learnt", "/v1/runs/ended")
"""Calls of the model plane that take a grant in their body, and no token."""
BODY = {"query": "q", "collections": ["a"]}
"""A good search, which the retriever takes before its routing; to other calls it is as good as any."""
SERVICES = ("ingest", "retriever", "inference", "agent", "lab", "gateway")


class Door:
    """The apps of all inner services, not started: who has no right gets no further than that."""

    def __init__(self, folder: Path) -> None:
        private, public = generate_key_pair()
        (folder / "d.pub").write_bytes(public)
        self._signer = DelegationSigner(private)
        common = {"data_dir": folder, "delegation_public_key_file": folder / "d.pub"}
        self.apps: dict[str, FastAPI] = {
            "ingest": ingest_app(IngestSettings(**common)),
            "retriever": retriever_app(RetrieverSettings(**common)),
            "inference": inference_app(InferenceSettings(**common)),
            "agent": agent_app(AgentSettings(**common)),
            "lab": lab_app(LabSettings(**common)),
            "gateway": create_model_plane(GatewaySettings(**common)),
        }
        self.apps["gateway"].state.dependencies = None  # asked for first there, and used by no call that is refused

    async def call(self, service: str, method: str, path: str, *scopes: Scope) -> tuple[int, str]:
        """Status and code of a call with a token that every service takes."""
        claims = Delegation(
            audiences=get_args(Audience), tenant="acme", key_id="k", scopes=scopes, request_id="r", collections=None
        )
        token = self._signer.sign(claims, timedelta(minutes=5))
        transport = httpx2.ASGITransport(self.apps[service], raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
            answer = await client.request(method, path, json=BODY if method in ("POST", "PUT", "PATCH") else None)
        return answer.status_code, answer.json()["error"]["code"]

    def calls(self, service: str) -> Iterator[tuple[str, str]]:
        """Method and path of every call that takes a token, as the service itself lists them."""
        for path, methods in self.apps[service].openapi()["paths"].items():
            if path not in OPEN and not (service == "gateway" and path in BY_GRANT):
                for method in methods:
                    yield method.upper(), re.sub(r"\{[^}]*\}", "1", path)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_token_without_scopes_opens_nothing_at_any_service(door: Door, service: str) -> None:
    calls = list(door.calls(service))
    assert calls
    for method, path in calls:
        status, code = await door.call(service, method, path)
        assert (status, code in ("missing_scope", "installation_only")) == (403, True), f"{method} {path}: {code}"


REFUSED: list[tuple[str, str, str, Scope]] = [
    ("ingest", "POST", "/v1/collections", "search"),
    ("ingest", "POST", "/v1/collections/a/documents", "chat"),
    ("ingest", "GET", "/v1/collections/a/documents/d/content", "chat"),
    ("ingest", "GET", "/v1/jobs", "search"),
    ("retriever", "DELETE", "/v1/collections/a", "search"),
    ("retriever", "PUT", "/v1/collections/a/documents/d/revisions/1/chunks", "chat"),
    ("retriever", "POST", "/v1/search", "documents"),
    ("inference", "POST", "/v1/chat/completions", "documents"),
    ("agent", "POST", "/v1/chat/completions", "agents"),
    ("agent", "GET", "/v1/agents", "chat"),
    ("agent", "DELETE", "/v1/agents/a", "agents"),
    ("lab", "GET", "/v1/question-sets", "chat"),
    ("lab", "DELETE", "/v1/question-sets/a", "evaluations:read"),
    ("gateway", "POST", "/v1/chat/completions", "search"),
]


async def test_a_token_with_another_scope_does_not_open_a_call_either(door: Door) -> None:
    for service, method, path, scope in REFUSED:
        assert await door.call(service, method, path, scope) == (403, "missing_scope"), (service, method, path)
