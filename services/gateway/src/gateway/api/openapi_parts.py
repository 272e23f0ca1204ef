"""The pieces of the OpenAPI document that FastAPI can't see, since those bodies are streamed or read as bytes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from contracts.errors import ErrorEnvelope
from gateway.proxy.operations import ProxiedCall

REF = "#/components/schemas/"
_MEDIA: dict[str, str] = {"text": "text/plain", "bytes": "*/*", "events": "text/event-stream"}


def event_of(data: dict[str, Any] | None = None) -> dict[str, Any]:
    """One event of a stream, whose `data` is JSON of this schema."""
    text: dict[str, Any] = {"type": "string"}
    if data is not None:
        text |= {"contentMediaType": "application/json", "contentSchema": data}
    properties = {"data": text, "event": {"type": "string"}, "id": {"type": "string"}}
    return {"type": "object", "description": "One event.", "properties": properties, "required": ["data"]}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """A required JSON body."""
    content = {"application/json": {"schema": {"$ref": f"{REF}{model.__name__}"}}}
    return {"requestBody": {"required": True, "content": content}}


def upload_body(model: type[BaseModel]) -> dict[str, Any]:
    """A file as multipart, or JSON."""
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary"},
            "metadata": {"type": "string", "description": "A JSON object of the caller's own fields."},
            "document_id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,200}$"},
            "title": {"type": "string", "maxLength": 500},
        },
    }
    body = json_body(model)
    body["requestBody"]["content"]["multipart/form-data"] = {"schema": form}
    return body


def archive_body() -> dict[str, Any]:
    """A ZIP."""
    content = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "content": content}}


def named_parameter(name: str, what: str) -> dict[str, Any]:
    """A path parameter."""
    return {"name": name, "in": "path", "required": True, "description": f"The {what}.", "schema": {"type": "string"}}


def parameters_of(spec: ProxiedCall) -> list[dict[str, Any]]:
    """The path, query and header parameters of a proxied call."""
    names = [part[1:-1] for part in spec.path.split("/") if part.startswith("{")]
    found = [named_parameter(name, spec.parameter(name)[0]) for name in names]
    found += [
        {"name": query.name, "in": "query", "required": False, "description": query.about, "schema": dict(query.schema)}
        for query in spec.queries
    ]
    if spec.gives == "events" and spec.service == "agent":
        found.append(
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "The id of the last event that arrived; those after it follow.",
                "schema": {"type": "string", "maxLength": 20},
            }
        )
    if spec.method == "POST" and spec.carries in ("json", "upload") and spec.idempotent:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key with the same body does the work once; kept for 24 hours.",
                "schema": {"type": "string", "maxLength": 200},
            }
        )
    return found


def extra_of(spec: ProxiedCall) -> dict[str, Any]:
    """What FastAPI can't see of a proxied call."""
    body: dict[str, Any] = archive_body() if spec.carries == "archive" else {}
    if spec.request is not None:
        body = upload_body(spec.request) if spec.carries == "upload" else json_body(spec.request)
    return {**body, "parameters": parameters_of(spec)}


def responses_of(spec: ProxiedCall) -> dict[int | str, dict[str, Any]]:
    """The successful answers of a proxied call."""
    if spec.gives == "json":
        return {status: {"model": spec.answer} for status in (spec.status, *spec.other_statuses)}
    if spec.gives == "json_or_events":
        events = {_MEDIA["events"]: {"schema": event_of()}}
        streamed: dict[int | str, dict[str, Any]] = {
            200: {"content": events, "description": "The events, with `stream`."}
        }
        return {spec.status: {"model": spec.answer}, **streamed}
    if spec.gives == "nothing":
        return {status: {"description": "Done."} for status in (spec.status, *spec.other_statuses)}
    schema = event_of() if spec.gives == "events" else {"type": "string"}
    return {spec.status: {"content": {_MEDIA[spec.gives]: {"schema": schema}}, "description": spec.summary}}


ERRORS: dict[int | str, dict[str, Any]] = {"default": {"model": ErrorEnvelope, "description": "What went wrong."}}
"""Every call may answer with the envelope."""
