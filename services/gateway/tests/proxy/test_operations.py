from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from gateway.auth.errors import NotYours
from gateway.bootstrap import create_app
from gateway.proxy.agent_operations import EVERY_PROXIED
from gateway.proxy.operations import ProxiedCall
from gateway.settings import GatewaySettings


def _spec(method: str, path: str) -> ProxiedCall:
    return next(spec for spec in EVERY_PROXIED if (spec.method, spec.path) == (method, path))


def test_every_call_is_named_once() -> None:
    names = [(spec.method, spec.path) for spec in EVERY_PROXIED]
    assert len(set(names)) == len(names)


def test_every_call_that_starts_lasting_work_carries_a_grant() -> None:
    granted = {(spec.method, spec.path.rsplit("/", 1)[-1]) for spec in EVERY_PROXIED if spec.grant}
    assert {spec.path for spec in EVERY_PROXIED if spec.grant and spec.service == "agent"} == {"/v1/threads/{id}/runs"}
    assert granted == {
        ("POST", "documents"),
        ("POST", "documents:batch"),
        ("POST", "documents:restore"),
        ("POST", "retry"),
        ("POST", "reindex"),
        ("POST", "runs"),
        ("DELETE", "{name}"),
        ("DELETE", "{id}"),
    }


def test_every_call_that_changes_something_is_limited_recorded_and_for_writers() -> None:
    for spec in EVERY_PROXIED:
        if spec.path == "/mcp":
            continue  # a call that may do several things, each of which asks for its own scope
        changes = spec.method != "GET"
        assert (spec.route is not None) == changes, spec.path
        writers = ("agents",) if spec.service == "agent" else ("documents",)
        if spec.path.startswith("/v1/agents"):
            writers = ("agents:write",)
        assert not changes or spec.scopes == writers, spec.path


def test_tokens_of_proxied_calls_never_reach_models_or_grants() -> None:
    for spec in EVERY_PROXIED:
        if spec.path == "/mcp":
            continue  # an answer like those of `rag:` models
        allowed = {"agent"} if spec.service == "agent" else {"ingest", "retriever", "inference"}
        if (spec.method, spec.path) == ("POST", "/v1/agents"):
            allowed = {"agent", "models"}  # it looks whether the key may use the agent's model
        assert set(spec.audiences) <= allowed, spec.path


def test_paths_are_filled_in() -> None:
    spec = _spec("GET", "/v1/collections/{name}/documents/{id}/text")
    assert spec.inner_path({"name": "hb", "id": "A.b-1"}) == "/v1/collections/hb/documents/A.b-1/text"
    assert _spec("GET", "/v1/jobs/{id}").inner_path({"id": "job_1"}) == "/v1/jobs/job_1"


@pytest.mark.parametrize("value", ["..", ".", "a/b", "a b", "%2e%2e", "a?b", "ä", "x" * 201, "a\n"])
def test_a_path_can_never_climb_out_of_its_place(value: str) -> None:
    for name in ("/v1/collections/{name}/documents/{id}", "/v1/jobs/{id}"):
        with pytest.raises(NotYours) as refused:
            _spec("GET", name).inner_path({"name": "hb", "id": value} if "{name}" in name else {"id": value})
        assert refused.value.http_status == 404
    with pytest.raises(NotYours):
        _spec("GET", "/v1/collections/{name}").inner_path({"name": value})


def test_only_known_query_parameters_pass() -> None:
    spec = _spec("GET", "/v1/jobs")
    assert spec.inner_query(b"status=failed&tenant=other&limit=5&limit=7&cursor=a%2Bb") == {
        "status": "failed",
        "limit": "7",
        "cursor": "a+b",
    }


def test_every_public_route_is_answered_here_or_in_the_table(tmp_path: Path) -> None:
    document = create_app(GatewaySettings(delegation_public_key_file=tmp_path / "d.pub")).openapi()
    named = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert {(spec.method, spec.path) for spec in EVERY_PROXIED} <= named
    for path in document["paths"]:
        for name in re.findall(r"\{(\w+)\}", path):
            for operation in document["paths"][path].values():
                assert name in {parameter["name"] for parameter in operation["parameters"]}


def test_no_route_serves_metrics_in_public(tmp_path: Path) -> None:
    app = create_app(GatewaySettings(delegation_public_key_file=tmp_path / "d.pub"))
    assert not [route for route in app.routes if isinstance(route, APIRoute) and route.path == "/metrics"]
