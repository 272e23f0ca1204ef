"""`POST /v1/tokenize` and `/v1/detokenize`, and for the gateway callers' token ids as texts.

Which models a caller may use is the gateway's question; of a tokenizer nobody learns more than of the models' list.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Request

from contracts.models.tokens import (
    DetokenizeReply,
    DetokenizeRequest,
    TokenizeReply,
    TokenizeRequest,
    TokenTexts,
    TokenTextsRequest,
)
from inference.api.access import models_for
from inference.serving import tokens
from inference.serving.lookup import ModelLookup
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(tags=["tokens"])
Seen = Annotated[ModelLookup, models_for("documents", "search", "chat", "agents")]


@router.post("/v1/tokenize")
async def tokenize(body: TokenizeRequest, request: Request, models: Seen) -> TokenizeReply:
    """The tokens of a prompt or of a conversation."""
    async with while_connected(disconnected(request.receive)):
        return await tokens.tokenize(models.any(body.model), body)


@router.post("/v1/detokenize")
async def detokenize(body: DetokenizeRequest, request: Request, models: Seen) -> DetokenizeReply:
    """The text that tokens spell."""
    async with while_connected(disconnected(request.receive)):
        return await tokens.detokenize(models.any(body.model), body)


@router.post("/v1/token-texts")
async def token_texts(body: TokenTextsRequest, request: Request, models: Seen) -> TokenTexts:
    """The texts of which these are exactly the model's tokens."""
    async with while_connected(disconnected(request.receive)):
        return TokenTexts(texts=await tokens.texts_of(models.any(body.model), body.tokens, body.param))
