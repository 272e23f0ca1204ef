from __future__ import annotations

import json

from pydantic import BaseModel

from contracts.operations.table import OPERATIONS

PASSED_ON = tuple(operation for operation in OPERATIONS if operation.owner != "gateway")
MCP = "/mcp"
"""A call that may do several things, each of which asks for its own scope."""
FOR_READERS = ("POST /v1/collections/{name}/documents/{id}/summary", "POST /v1/prompts/{name}/render")
"""Change nothing, but cost what an answer or a few embeddings do."""


def test_every_operation_is_named_once() -> None:
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


def test_every_parameter_of_a_path_says_what_it_names() -> None:
    for operation in OPERATIONS:
        for name in operation.parameters:
            assert operation.parameter(name)[0] in operation.path


def test_an_operation_without_a_body_takes_no_model_and_one_with_a_model_takes_a_body() -> None:
    for operation in OPERATIONS:
        assert (operation.request is not None) == (operation.carries in ("json", "upload")), operation.id


def test_only_health_needs_no_key() -> None:
    assert {operation.id for operation in OPERATIONS if operation.is_open} == {"GET /healthz", "GET /readyz"}


def test_every_operation_that_starts_lasting_work_carries_a_grant() -> None:
    assert {operation.id.replace("/v1/collections/{name}", "…") for operation in PASSED_ON if operation.grant} == {
        "POST …/documents",
        "POST …/documents:batch",
        "POST …/documents:restore",
        "POST …/reindex",
        "DELETE …",
        "DELETE …/documents/{id}",
        "POST /v1/jobs/{id}/retry",
        "POST /v1/threads/{id}/runs",
        "POST /v1/threads/{id}/runs/{run}/replay",
        "POST /v1/evaluations",
        "POST /v1/sweeps",
        "POST /v1/sweeps/{id}/apply",
        "POST /v1/sweeps/{id}/revert",
        "POST /v1/question-sets/{name}/generate",
        "POST /v1/question-sets/{name}/generations/{generation}/save",
        "POST /v1/fine_tuning/jobs",
    }


def test_every_operation_that_changes_something_is_limited_recorded_and_for_writers() -> None:
    for operation in PASSED_ON:
        if operation.path == MCP:
            continue
        changes = operation.method != "GET"
        assert (operation.route is not None) == changes, operation.id
        by_owner = {"agent": ("agents",), "ingest": ("documents",), "lab": ("evaluations:write",)}
        writers = by_owner[operation.owner]
        if operation.path.startswith(("/v1/agents", "/v1/prompts")):
            writers = ("agents:write",)
        if "/labels/" in operation.path:
            writers = ("agents:write", "prompts:release")
        if operation.path.startswith("/v1/threads") and "/runs" not in operation.path:
            writers = ("agents", "chat")
        assert not changes or operation.scopes == writers or operation.id in FOR_READERS, operation.id


def test_tokens_of_operations_that_are_passed_on_never_reach_models_or_grants() -> None:
    for operation in PASSED_ON:
        if operation.path == MCP or operation.id == FOR_READERS[0]:
            continue  # an answer like those of `rag:` models
        allowed = {"ingest", "retriever", "inference"} if operation.owner == "ingest" else {operation.owner}
        if operation.id in ("POST /v1/agents", "POST /v1/prompts", FOR_READERS[1]):
            # they look whether the key may use a model, or compare examples
            allowed = {"agent", "models"}
        if operation.owner == "lab" and operation.path.startswith("/v1/fine_tuning/jobs"):
            allowed = {"lab", "inference"}  # what a job has published is withdrawn with it
        assert set(operation.audiences) <= allowed, operation.id


def test_an_operation_whose_answer_may_cite_says_so() -> None:
    """Its links would be paths otherwise, which no client can follow."""
    for operation in OPERATIONS:
        if issubclass(operation.reply, BaseModel):
            schema = json.dumps(operation.reply.model_json_schema())
            assert operation.cites or not any(f'"{name}"' in schema for name in ("url_citation", "annotations")), (
                operation.id
            )
