"""The OpenAPI document of the public API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.operations.table import OPERATIONS
from gateway.api.openapi_names import INPUT, REF, name_calls, name_schemas, rename


def public_openapi(app: FastAPI) -> dict[str, Any]:
    """The document of an app, complete with the bodies that the app itself does not parse."""
    document = get_openapi(
        title="Groundwork",
        version=app.version,
        summary="Answers from your documents, with citations; OpenAI-compatible.",
        routes=app.routes,
    )
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    events = {operation.event for operation in OPERATIONS if operation.event is not None}
    for name, schema in _definitions(events, "serialization").items():
        schemas.setdefault(name, schema)
    requests = {operation.request for operation in OPERATIONS if operation.request is not None}
    unparsed = {request for request in requests if request.__name__ not in schemas}
    _merge(schemas, _definitions(unparsed, "validation"))
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "gw_..."}}
    document["security"] = [{"key": []}]
    for calls in document["paths"].values():
        for call in calls.values():
            call["responses"].pop("422", None)  # the envelope, like every error
    for operation in OPERATIONS:
        if operation.is_open:
            document["paths"][operation.path][operation.method.lower()]["security"] = []
    name_calls(document)
    return name_schemas(document)


def openapi_route(app: FastAPI) -> Route:
    """`GET /openapi.json`, which anybody may ask for: built once, beside the event loop, since it takes a second."""
    building: list[asyncio.Future[bytes]] = []

    def build() -> bytes:
        return json.dumps(public_openapi(app), ensure_ascii=False, separators=(",", ":")).encode()

    async def get_document(_request: Request) -> Response:
        if not building or (building[0].done() and (building[0].cancelled() or building[0].exception())):
            building[:] = [asyncio.ensure_future(asyncio.to_thread(build))]
        return Response(await asyncio.shield(building[0]), media_type="application/json")

    return Route("/openapi.json", get_document, methods=["GET"], include_in_schema=False)


def _definitions(models: Iterable[type[BaseModel]], mode: Any) -> dict[str, Any]:
    _, schema = models_json_schema([(model, mode) for model in models], ref_template=REF + "{model}")
    definitions: dict[str, Any] = schema["$defs"]
    return definitions


def _merge(schemas: dict[str, Any], new: dict[str, Any]) -> None:
    """Add schemas of bodies; one whose name is taken by a different schema says that it is one."""
    renamed = {name: f"{name}{INPUT}" for name, schema in new.items() if schemas.get(name, schema) != schema}
    for name, schema in rename(new, renamed).items():
        schemas[renamed.get(name, name)] = schema
