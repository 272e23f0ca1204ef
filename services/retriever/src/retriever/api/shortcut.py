"""Searches, taken before the framework's routing and parsing, which cost as much as the engine does.

A shortcut calls the very function that the route calls. Whatever is wrong with a call goes the long way, so that its
error is the framework's.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.search import SearchRequest
from retriever.api.access import SEARCHERS
from retriever.dependencies import Dependencies
from servicekit.auth.delegation import Caller, InvalidDelegation, caller_of
from servicekit.core.errors import ServiceError
from servicekit.web.error_handlers import error_response
from servicekit.web.headers import header_of
from servicekit.web.json_bodies import LARGE_BYTES

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Route:
    """What metrics and logs read of a route."""

    path: str


class SearchShortcut:
    """Answers good searches, `POST` to `path`, and passes everything else on to the app."""

    def __init__(
        self, app: ASGIApp, path: str, answer: Callable[[SearchRequest, Caller, Dependencies], Awaitable[Response]]
    ) -> None:
        self._app = app
        self._route = _Route(path)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        if scope["type"] != "http" or scope["path"] != self._route.path or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        messages: list[Message] = []
        try:
            response = await self._shortly(scope, receive, messages)
        except ServiceError as error:
            if error.http_status >= 500:
                log.warning("call failed", code=error.code, message=error.message)
            response = error_response(error, scope["state"]["request_id"])
        if response is None:
            await self._app(scope, _again(messages, receive), send)
        else:
            await response(scope, receive, send)

    async def _shortly(self, scope: Scope, receive: Receive, messages: list[Message]) -> Response | None:
        """The answer, null where the call has to go the long way; `messages` are those of its body."""
        while not messages or messages[-1].get("more_body", False):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        if (header_of(scope, b"content-type") or "").lower() != "application/json" or len(body) >= LARGE_BYTES:
            return None  # much is parsed off the event loop there
        try:
            request = SearchRequest.model_validate(json.loads(body))
            caller = caller_of(scope["app"].state.verifier, header_of(scope, b"authorization"), "retriever")
            caller.require(*SEARCHERS)
        except (ValueError, RecursionError, InvalidDelegation):
            return None
        scope["route"] = self._route
        return await self._answer(request, caller, scope["app"].state.dependencies)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """The same messages once more, then those that follow."""
    waiting = iter(messages)

    async def next_message() -> Message:
        return next(waiting, None) or await receive()

    return next_message
