"""The table of public operations against what each service really serves, both ways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI

import agent.bootstrap
import gateway.bootstrap
import ingest.bootstrap
import lab.bootstrap
from agent.settings import AgentSettings
from contracts.operations.operation import Operation
from contracts.operations.table import OPERATIONS
from gateway.settings import GatewaySettings
from ingest.settings import IngestSettings
from lab.settings import LabSettings

APPS: dict[str, Callable[[], FastAPI]] = {
    "gateway": lambda: gateway.bootstrap.create_app(GatewaySettings()),
    "ingest": lambda: ingest.bootstrap.create_app(IngestSettings()),
    "agent": lambda: agent.bootstrap.create_app(AgentSettings()),
    "lab": lambda: lab.bootstrap.create_app(LabSettings()),
}
INNER = {
    "gateway": set[str](),
    "ingest": {"GET /healthz", "GET /readyz", "GET /v1/backup", "POST /v1/tenants/{}/deletion"},
    "agent": {
        "GET /healthz",
        "GET /readyz",
        "GET /v1/backup",
        "POST /v1/prompts/{}/fill",
        "POST /v1/tenants/{}/purge",
        "POST /v1/chat/completions",
    },
    "lab": {
        "GET /healthz",
        "GET /readyz",
        "GET /v1/backup",
        "POST /v1/documents/deleted",
        "POST /v1/judgements",
        "POST /v1/tenants/{}/purge",
    },
}
"""What a service serves to its peers alone."""
CASES = [(service, operation) for operation in OPERATIONS for service in sorted({"gateway", operation.owner})]


def _unnamed(call: str) -> str:
    """A call whatever its path's parameters are named."""
    return re.sub(r"\{\w+\}", "{}", call)


@cache
def _served(service: str) -> dict[str, dict[str, Any]]:
    paths = APPS[service]().openapi()["paths"]
    return {_unnamed(f"{method.upper()} {path}"): call for path in paths for method, call in paths[path].items()}


@pytest.mark.parametrize("service", APPS)
def test_a_service_serves_its_operations_of_the_table_and_nothing_else(service: str) -> None:
    own = {_unnamed(operation.id) for operation in OPERATIONS if service in ("gateway", operation.owner)}
    assert set(_served(service)) - own == INNER[service], "what is public belongs in contracts.operations"
    assert own <= set(_served(service))


@pytest.mark.parametrize(("service", "operation"), CASES, ids=lambda case: getattr(case, "id", case))
def test_a_service_takes_and_answers_what_the_table_says(service: str, operation: Operation[Any]) -> None:
    call = _served(service)[_unnamed(operation.id)]
    parameters = [(parameter["in"], parameter["name"]) for parameter in call.get("parameters", ())]
    assert {name for where, name in parameters if where == "query"} == {query.name for query in operation.queries}
    assert (("header", "Idempotency-Key") in parameters) == operation.idempotent
    answers = {int(status) for status in call["responses"] if status not in ("default", "422")}
    assert operation.status in answers
    known = {operation.status, *operation.other_statuses, *operation.empty_statuses, *operation.own_errors}
    assert answers <= {*known, *({200} if operation.streams != "never" else ())}
    body = call.get("requestBody", {}).get("content", {}).get("application/json")
    assert (body is not None) == (operation.request is not None)
    assert operation.request is None or operation.request.__name__ in json.dumps(body)
    if operation.gives in ("json", "json_or_events"):
        answer = call["responses"][str(operation.status)]["content"]["application/json"]["schema"]
        assert answer["$ref"].rsplit("/", 1)[-1] == re.sub(r"\W", "_", operation.reply.__name__)
