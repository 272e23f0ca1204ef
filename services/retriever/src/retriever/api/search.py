"""Search: on a plain route, in front of the framework's, whose parsing costs as much as the engine does.

The plain route calls the very function that the framework's does. A call with anything wrong is handed on to that, so
that its error is the framework's.
"""

from __future__ import annotations

import json

from fastapi import Request
from fastapi.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from contracts.retrieval.search import SearchReply, SearchRequest
from retriever.api.access import SEARCHERS, Deps, Searcher, check_allowed
from retriever.dependencies import Dependencies
from servicekit.auth.delegation import Caller, InvalidDelegation, caller_of
from servicekit.web.headers import header_of
from servicekit.web.json_bodies import LARGE_BYTES
from servicekit.web.router import Router

PATH = "/v1/search"

router = Router(prefix=PATH, tags=["search"])


@router.post("", response_model=SearchReply)
async def search(body: SearchRequest, caller: Searcher, deps: Deps) -> Response:
    """The best hits of one or several collections."""
    return await _answer(body, caller, deps)


class DirectSearch:
    """Answers good calls of `search`, and hands on all others."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call."""
        if scope["method"] != "POST" or (header_of(scope, b"content-type") or "").lower() != "application/json":
            await router(scope, receive, send)
            return
        scope["route"] = direct_route  # for metrics and logs
        body = await Request(scope, receive).body()
        if (read := _read(scope, body)) is None:
            await router(scope, _with_body(body, receive), send)
            return
        response = await _answer(*read, scope["app"].state.dependencies)
        await response(scope, receive, send)


direct_route = Route(PATH, DirectSearch())


async def _answer(body: SearchRequest, caller: Caller, deps: Dependencies) -> Response:
    for name in body.collections:
        check_allowed(caller, name)
    reply = await deps.search.search(caller.tenant, body, caller.token)
    return Response(reply.model_dump_json(), media_type="application/json")  # FastAPI would validate it once more


def _read(scope: Scope, body: bytes) -> tuple[SearchRequest, Caller] | None:
    """What is asked and by whom; null where the framework has to say what is wrong, or to parse in a thread."""
    if len(body) >= LARGE_BYTES:
        return None
    try:
        request = SearchRequest.model_validate(json.loads(body))
        caller = caller_of(scope["app"].state.verifier, header_of(scope, b"authorization"), "retriever")
        caller.require(*SEARCHERS)
    except (ValueError, RecursionError, InvalidDelegation):
        return None
    return request, caller


def _with_body(body: bytes, receive: Receive) -> Receive:
    """The messages of a call whose body has been read."""
    first: list[Message] = [{"type": "http.request", "body": body}]

    async def next_message() -> Message:
        return first.pop() if first else await receive()

    return next_message
