"""Which variant of a route a public call is answered by, and what the call asks of that."""

from __future__ import annotations

from collections.abc import Callable

from contracts.agents.prompts import PACKAGED_PREFIX
from contracts.models.catalog import RAG
from contracts.models.chat import OPTIONS_IGNORED, AnswerOptions, ChatRequest
from contracts.models.routes import CONVERSATION_HEADER, VARIANT_HEADER, RouteSpec, RouteTarget, SplitBy, is_plain
from gateway.auth.keys import Principal
from gateway.chat.translation import TranslatedExchange
from gateway.dependencies import Dependencies
from gateway.models.errors import ModelNotFound
from gateway.routing.errors import RouteNotPlain
from gateway.routing.plan import route_named
from gateway.routing.split import Assignment, draw, unit_of
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall

DEGRADED_HEADER = "X-Groundwork-Degraded"
"""What of a request an answer does not use, for callers that ask for no receipt."""


async def assign(exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest) -> ChatRequest:
    """Draw the variant of a call by a route that is split or leads to answers, say it in a header, and return the
    request as it is for that. Raises `ModelNotFound` and `RouteNotPlain`."""
    if not is_plain(request.model):
        return request
    models, routes = await deps.models_and_routes(call.principal.tenant, request.model)
    public, route = route_named(request.model, models, routes)
    if route is None or (route.is_plain and not route.is_experiment):
        return request
    if not call.principal.allows_model(public):
        raise ModelNotFound(request.model)
    if request.raw_prompts and not route.is_plain:
        raise RouteNotPlain(public)
    conversation = exchange.header(CONVERSATION_HEADER.lower()) or ""
    unit = unit_of(public, *_who(route.split_by, call.principal, call.id, conversation, request))
    target = draw(route, unit)
    call.assignment = Assignment(public, route.version, target, unit, route, id_of(exchange))
    exchange.headers[VARIANT_HEADER] = target.variant
    return ask_target(exchange, route, target, request)


def id_of(exchange: Exchange) -> Callable[[str], str]:
    """What makes of a chat's id the one that the caller sees."""
    return exchange.translation.answer_id if isinstance(exchange, TranslatedExchange) else str


def degrade(exchange: Exchange, word: str) -> None:
    """Say that something of the request is not used."""
    said = exchange.headers.get(DEGRADED_HEADER)
    exchange.headers[DEGRADED_HEADER] = f"{said}, {word}" if said else word


def ask_target(
    exchange: Exchange, route: RouteSpec, target: RouteTarget, request: ChatRequest, *, named: bool = False
) -> ChatRequest:
    """The request as it is for a target. A plain one keeps the route's name, whose other targets may have to answer,
    unless it is asked for by its own."""
    changes: dict[str, object] = {"model": target.model} if named or not target.is_plain else {}
    options, more = request.groundwork, {}
    if target.model.startswith(RAG):
        more = {name: value for name, value in target.groundwork or () if value is not None}
        prompt = str(more.get("prompt") or (options.prompt if options is not None else None) or "")
        if options is not None and options.variables is not None and not _takes_variables(prompt):
            more["variables"] = None
        if more:
            changes["groundwork"] = (options or AnswerOptions()).model_copy(update=more)
    elif options is not None and any(one.takes_options for one in route.targets):
        # another variant would have used them: the caller can't know which it gets
        values = options.variables if target.takes_options else None
        changes["groundwork"] = None if values is None else AnswerOptions(variables=values)
        if options.model_fields_set - {"variables"} or values is None:
            degrade(exchange, OPTIONS_IGNORED)
    return request.model_copy(update=changes) if changes else request


def _takes_variables(prompt: str) -> bool:
    return prompt != "" and not prompt.startswith(PACKAGED_PREFIX)


def _who(
    split_by: SplitBy, principal: Principal, call_id: str, conversation: str, request: ChatRequest
) -> tuple[str, ...]:
    """Who keeps the variant. A person or a conversation is one of its tenant's or key's alone."""
    more = request.model_extra or {}
    person = str(more.get("user") or more.get("safety_identifier") or "")
    if split_by == "call":
        return ("call", call_id)
    if split_by == "user" and person:
        return ("user", principal.tenant, person)
    if split_by == "conversation" and conversation:
        return ("conversation", principal.key_id, conversation)
    if split_by == "conversation":
        first = next((message.plain_text() for message in request.messages if message.role == "user"), "")
        return ("conversation", principal.key_id, person, first)
    return (principal.key_id,)
