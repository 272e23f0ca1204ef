"""`POST /v1/tokenize` and `/v1/detokenize`, and for the gateway callers' token ids as texts.

Which models a caller may use is the gateway's question; of a tokenizer nobody learns more than of the models' list.
"""

from __future__ import annotations

from fastapi import Request

from contracts.models.tokens import (
    DetokenizeReply,
    DetokenizeRequest,
    TokenizeReply,
    TokenizeRequest,
    TokenTexts,
    TokenTextsRequest,
)
from inference.api.access import Deps
from inference.serving import tokens
from servicekit.auth.delegation import require
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(tags=["tokens"], dependencies=[require("inference", "documents", "search", "chat", "agents")])


@router.post("/v1/tokenize")
async def tokenize(body: TokenizeRequest, request: Request, deps: Deps) -> TokenizeReply:
    """The tokens of a prompt or of a conversation."""
    async with while_connected(disconnected(request.receive)):
        return await tokens.tokenize(deps.models.any(body.model), body)


@router.post("/v1/detokenize")
async def detokenize(body: DetokenizeRequest, request: Request, deps: Deps) -> DetokenizeReply:
    """The text that tokens spell."""
    async with while_connected(disconnected(request.receive)):
        return await tokens.detokenize(deps.models.any(body.model), body)


@router.post("/v1/token-texts")
async def token_texts(body: TokenTextsRequest, request: Request, deps: Deps) -> TokenTexts:
    """The texts of which these are exactly the model's tokens."""
    async with while_connected(disconnected(request.receive)):
        return TokenTexts(texts=await tokens.texts_of(deps.models.any(body.model), body.tokens, body.param))
