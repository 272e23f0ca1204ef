"""Shadow traffic: a share of a route's calls is asked of a second target, too, after they were answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import SystemRandom

import structlog
from starlette.types import Message

from contracts.models.chat import ChatRequest
from contracts.models.routes import RouteSpec
from gateway.auth.keys import Principal
from gateway.chat.variants import ask_target
from gateway.dependencies import Dependencies
from gateway.metrics import SHADOW_CALLS
from gateway.routing.split import Assignment
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
Answer = Callable[[Exchange, Dependencies, MeteredCall, ChatRequest], Awaitable[object]]
_RANDOM = SystemRandom()


def start_shadow(
    deps: Dependencies, principal: Principal, assignment: Assignment, request: ChatRequest, answer: Answer
) -> None:
    """Ask the shadow of a route, if it has one and this call is of its share: a call of the experiment's own key. The
    request is what the guardrails of the caller's key have left of it."""
    shadow = assignment.spec.shadow
    if shadow is None or request.raw_prompts or _RANDOM.random() >= shadow.share:
        return
    asked = request.model_copy(update={"stream": False, "stream_options": None})
    deps.shadow_calls.start(_ask(deps, principal.tenant, assignment, asked, answer))


async def _ask(deps: Dependencies, tenant: str, assignment: Assignment, request: ChatRequest, answer: Answer) -> None:
    try:
        SHADOW_CALLS.labels(await _outcome(deps, tenant, assignment, request, answer)).inc()
    except ServiceError as error:
        log.info("a shadow has failed", route=assignment.route, code=error.code)
        SHADOW_CALLS.labels("failed").inc()


async def _outcome(
    deps: Dependencies, tenant: str, assignment: Assignment, request: ChatRequest, answer: Answer
) -> str:
    spec: RouteSpec = assignment.spec
    assert spec.shadow is not None
    principal = await deps.authenticator.require_active(spec.shadow.key_id)
    if principal.tenant != tenant:  # one tenant's questions are no other's
        return "other_tenant"
    target, exchange = spec.shadow.target, _for_nobody()
    async with deps.metered(exchange, principal, "chat", needs_body=False) as call:
        call.assignment = Assignment(assignment.route, assignment.version, target, assignment.unit, spec)
        await answer(exchange, deps, call, ask_target(exchange, spec, target, request, named=True))
    return "answered"


def _for_nobody() -> Exchange:
    """An exchange whose client listens to nothing and never leaves."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        return None

    return Exchange({"type": "http", "method": "POST", "path": "/", "headers": [], "state": {}}, receive, send)
