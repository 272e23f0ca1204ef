"""Texts as tokens and back, and callers' token ids as the texts that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from contracts.models.catalog import ModelInfo
from contracts.models.tokens import DetokenizeRequest, TokenizeRequest, TokenTexts, TokenTextsRequest
from contracts.operations.reach import TOKENS
from gateway.auth.tokens import MODELS
from gateway.dependencies import Dependencies
from gateway.guardrails.screen import Screen
from gateway.streaming.exchange import Exchange
from gateway.usage.meter import MeteredCall
from servicekit.web.json_bodies import parse


async def tokenize(exchange: Exchange, deps: Dependencies, call: MeteredCall) -> None:
    """The tokens of a text or a conversation. They cost nothing, since no model reads them."""
    body = await exchange.body()
    screen = Screen(call.principal.guardrails, TOKENS)
    request = await screen.question(await parse(TokenizeRequest, body), len(body))
    exchange.headers.update(screen.header())
    await _answer(exchange, deps, call, "/v1/tokenize", request)


async def detokenize(exchange: Exchange, deps: Dependencies, call: MeteredCall) -> None:
    """The text that tokens spell."""
    request = await parse(DetokenizeRequest, await exchange.body())
    await _answer(exchange, deps, call, "/v1/detokenize", request)


async def texts_of_tokens(
    exchange: Exchange, deps: Dependencies, call: MeteredCall, model: ModelInfo, tokens: Sequence[list[int]], param: str
) -> list[str]:
    """The texts of which these are a model's tokens: what guardrails and limits read, and what goes on.

    A call without a parent takes its request first, so that nobody asks for more of them than the key allows.
    """
    if call.parent_id is None and not call.is_reserved:
        exchange.headers.update(await call.enter())
    asked = TokenTextsRequest(model=model.id, param=param, tokens=list(tokens))
    token = deps.issuer.token(call.principal, MODELS, exchange.request_id, call.id)
    with call.waiting():
        answer = await deps.peers.inference.call(
            "POST",
            "/v1/token-texts",
            TokenTexts,
            token=token,
            body=asked,
            timeout_seconds=deps.settings.call_timeout_seconds,
        )
    return answer.texts


async def _answer(
    exchange: Exchange,
    deps: Dependencies,
    call: MeteredCall,
    path: str,
    request: TokenizeRequest | DetokenizeRequest,
) -> None:
    model = (await deps.catalog.models(call.principal.tenant, request.model)).of_any_kind(request.model, call.principal)
    call.model = model.id
    await deps.reserve(exchange, call)
    token = deps.issuer.token(call.principal, MODELS, exchange.request_id, call.id)
    named: BaseModel = request.model_copy(update={"model": model.id})
    seconds = deps.settings.call_timeout_seconds
    with call.waiting():
        answer = await deps.peers.inference.send("POST", path, token=token, body=named, timeout_seconds=seconds)
    await call.finish()
    await exchange.answer(200, {"content-type": "application/json"}, answer.body)
