"""Makes routes of operations, with what FastAPI can't see of them, since their bodies are streamed or read as bytes."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from contracts.core.errors import ErrorEnvelope
from contracts.operations.operation import Operation
from gateway.api.openapi_names import REF
from gateway.streaming.citation_links import CitationLinks
from servicekit.web.router import Router

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_MEDIA: dict[str, str] = {"text": "text/plain", "events": "text/event-stream"}
_BINARY = {"type": "string", "format": "binary"}
OCTETS = "application/octet-stream"


def event_of(data: dict[str, Any] | None = None, end: str | None = None) -> dict[str, Any]:
    """One event of a stream, whose `data` is JSON of this schema, and of the last one the text that ends it."""
    text: dict[str, Any] = {"type": "string"}
    if data is not None:
        text |= {"contentMediaType": "application/json", "contentSchema": data}
    if end is not None:
        text = {"anyOf": [text, {"type": "string", "const": end}]}
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


def binary(media_type: str = "*/*") -> dict[str, Any]:
    """The content of a file, which code generators know for bytes only as octets of any kind."""
    return {media_type: {"schema": _BINARY}, OCTETS: {"schema": _BINARY}}


def archive_body() -> dict[str, Any]:
    """A ZIP."""
    about = "A ZIP, as the backup of a document gave it; `application/zip` is taken, too."
    return {"requestBody": {"required": True, "description": about, "content": {OCTETS: {"schema": _BINARY}}}}


def named_parameter(name: str, what: str) -> dict[str, Any]:
    """A path parameter."""
    return {"name": name, "in": "path", "required": True, "description": f"The {what}.", "schema": {"type": "string"}}


def parameters_of(spec: Operation[Any]) -> list[dict[str, Any]]:
    """The path, query and header parameters of an operation."""
    found = [named_parameter(name, spec.parameter(name)[0]) for name in spec.parameters]
    found += [
        {"name": query.name, "in": "query", "required": False, "description": query.about, "schema": dict(query.schema)}
        for query in spec.queries
    ]
    if spec.gives == "events" and spec.owner == "agent":
        found.append(
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "The id of the last event that arrived; those after it follow.",
                "schema": {"type": "string", "maxLength": 20},
            }
        )
    if spec.idempotent:
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


def extra_of(spec: Operation[Any]) -> dict[str, Any]:
    """What FastAPI can't see of an operation that is relayed."""
    body: dict[str, Any] = archive_body() if spec.carries == "archive" else {}
    if spec.request is not None:
        body = upload_body(spec.request) if spec.carries == "upload" else json_body(spec.request)
    parameters = parameters_of(spec)
    return {**body, "parameters": parameters} if parameters or spec.owner != "gateway" else body


def responses_of(spec: Operation[Any]) -> dict[int | str, dict[str, Any]]:
    """The successful answers of an operation that is relayed."""
    if spec.gives == "json":
        answers: dict[int | str, dict[str, Any]] = {}
        answers |= {status: {"model": spec.reply} for status in (spec.status, *spec.other_statuses)}
        answers |= {status: {"description": "Taken; there is nothing to answer."} for status in spec.empty_statuses}
        wrong = {"model": spec.reply | ErrorEnvelope, "description": "What went wrong."}
        return {**answers, **dict.fromkeys(spec.own_errors, wrong)}
    if spec.gives == "json_or_events":
        data = None if spec.event is None else {"$ref": f"{REF}{spec.event.__name__}"}
        events = {"content": {_MEDIA["events"]: {"schema": event_of(data, spec.end)}}}
        if spec.status == HTTPStatus.OK:
            return {spec.status: {"model": spec.reply, **events}}
        return {spec.status: {"model": spec.reply}, 200: {**events, "description": "The events, with `stream`."}}
    if spec.gives == "nothing":
        return {status: {"description": "Done."} for status in (spec.status, *spec.other_statuses)}
    if spec.gives == "bytes":
        return {spec.status: {"content": binary(), "description": spec.summary}}
    schema = event_of() if spec.gives == "events" else {"type": "string"}
    return {spec.status: {"content": {_MEDIA[spec.gives]: {"schema": schema}}, "description": spec.summary}}


class CitedResponse(JSONResponse):
    """Answers with citations that we kept: their links begin where this caller reaches the gateway."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self.body = CitationLinks(scope).absolute(bytes(self.body))
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


ERRORS: dict[int | str, dict[str, Any]] = {"default": {"model": ErrorEnvelope, "description": "What went wrong."}}
"""Every call may answer with the envelope."""


def serve(routes: Router, operation: Operation[Any], **more: Any) -> Callable[[Endpoint], Endpoint]:
    """Makes a function answer an operation. Its signature and its docstring say the rest of what the document has."""
    path = operation.path
    if operation.cites:
        more = {"response_class": CitedResponse, **more}
    for name in operation.slashed:
        path = path.replace(f"{{{name}}}", f"{{{name}:path}}")
    return routes.api_route(
        path,
        methods=[operation.method],
        status_code=operation.status,
        summary=operation.summary or None,
        tags=list(operation.tags),
        name=operation.name or f"{operation.method.lower()} {operation.path}",
        **more,
    )


def relay(routes: Router, operation: Operation[Any], **more: Any) -> Callable[[Endpoint], Endpoint]:
    """The same for a function that takes and gives bytes: the document has the table's models."""
    known: dict[str, Any] = {"responses": responses_of(operation), "openapi_extra": extra_of(operation)}
    return serve(routes, operation, response_model=None, **known, **more)
