"""`POST /v1/chat/completions`: which kind of model is meant, and where its answer comes from."""

from __future__ import annotations

from contracts.chat import AnswerOptions, ChatRequest, StreamOptions
from contracts.models import MAX_COLLECTIONS, RAG, rag_collections
from gateway.answering import Upstream, answer_chat
from gateway.bodies import parse
from gateway.dependencies import Dependencies
from gateway.errors import AgentsNotAvailable, ModelNotFound, OptionsNeedDocuments, TooManyCollections
from gateway.forwarding import Exchange
from gateway.keys import Principal
from gateway.metering import MeteredCall
from gateway.needs import chat_need, search_need
from gateway.proxied import is_name
from gateway.taps import AnswerTap, ModelTap
from gateway.tokens import ANSWERS, MODELS

AGENT = "agent:"


async def chat(exchange: Exchange, deps: Dependencies, principal: Principal) -> None:
    """Answer one public chat call."""
    async with deps.metered(exchange, principal, "chat") as call:
        body = await exchange.body()
        request = parse(ChatRequest, body)
        if request.model.startswith(RAG):
            await answer_from_documents(exchange, deps, call, request)
        elif request.model.startswith(AGENT):
            raise AgentsNotAvailable
        else:
            await answer_from_model(exchange, deps, call, request, len(body))


async def answer_from_model(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest, request_bytes: int
) -> None:
    """A plain model's answer; everything in the request that we don't know is the model's."""
    if request.groundwork is not None:
        raise OptionsNeedDocuments
    model = (await deps.catalogue.models()).resolve(request.model, "chat", call.principal)
    call.model = model.id
    await deps.reserve(exchange, call, chat_need(model, request, request_bytes, deps.settings.assumed_answer_tokens))
    wants_usage = request.stream_options is not None and request.stream_options.include_usage
    changes: dict[str, object] = {"model": model.id}
    if request.stream and not wants_usage:
        changes["stream_options"] = (request.stream_options or StreamOptions()).model_copy(
            update={"include_usage": True}
        )
    upstream = Upstream(
        deps.peers.inference,
        deps.mint.shared_token(call.principal, MODELS),
        deps.settings.answer_timeout_seconds,
    )
    tap = ModelTap(call, model, request_bytes, show_usage=wants_usage)
    await answer_chat(exchange, call, upstream, request.model_copy(update=changes), tap)


async def answer_from_documents(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, request: ChatRequest
) -> None:
    """A `rag:` answer from the agent, whose own model calls come back through the model plane."""
    names = _collections(request.model, call.principal)
    call.model = RAG + ",".join(names)
    options = request.groundwork or AnswerOptions()
    if options.model is not None:
        (await deps.catalogue.models()).resolve(options.model, "chat", call.principal)
    await deps.reserve(exchange, call, search_need(await deps.catalogue.known(), request.messages[-1].plain_text()))
    show_receipt = "receipt" in options.include
    if not show_receipt:
        options = options.model_copy(update={"include": [*options.include, "receipt"]})
    upstream = Upstream(
        deps.peers.agent,
        deps.mint.token(call.principal, ANSWERS, exchange.request_id, call.id),
        deps.settings.answer_timeout_seconds,
    )
    tap = AnswerTap(call, await deps.catalogue.known(), deps.meter.ledger, show_receipt=show_receipt)
    await answer_chat(exchange, call, upstream, request.model_copy(update={"groundwork": options}), tap)


def _collections(model: str, principal: Principal) -> list[str]:
    names = rag_collections(model)
    if len(names) > MAX_COLLECTIONS:
        raise TooManyCollections(MAX_COLLECTIONS)
    if not all(is_name(name) and principal.allows_collection(name) for name in names):
        raise ModelNotFound(model)
    return names
