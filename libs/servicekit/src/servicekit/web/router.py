"""The router that every service's routes are declared on: FastAPI's, whose routes parse large bodies off the loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from servicekit.core.errors import ServiceError
from servicekit.web.error_handlers import BodyRefused
from servicekit.web.json_bodies import LARGE_BYTES, parse


class _Parsing(Request):
    """A request whose `json()` is the route's model, made in a thread where the body is large.

    FastAPI takes an instance of the model as it is.
    """

    model: type[BaseModel]

    async def json(self) -> Any:
        body = await self.body()
        if len(body) < LARGE_BYTES:
            return await super().json()
        try:
            return await parse(self.model, body)
        except ServiceError as error:
            raise BodyRefused(error) from None


class ParsingRoute(APIRoute):
    """A route whose large bodies are parsed and checked off the event loop."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a request of ours."""
        handler = super().get_route_handler()
        kind = None if self.body_field is None else self.body_field.field_info.annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return handler
        model = kind

        async def handle(request: Request) -> Response:
            parsing = _Parsing(request.scope, request.receive)
            parsing.model = model
            return await handler(parsing)

        return handle


class Router(APIRouter):
    """`APIRouter` whose routes are `ParsingRoute`s."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=ParsingRoute, **options)
