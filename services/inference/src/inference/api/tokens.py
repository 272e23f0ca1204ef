"""`POST /v1/tokenize` and `/v1/detokenize`, and for the gateway callers' token ids as texts.

Which models a caller may use is the gateway's question; of a tokenizer nobody learns more than of the models' list.
"""

from __future__ import annotations

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
from servicekit.web.router import Router

router = Router(tags=["tokens"], dependencies=[require("inference", "documents", "search", "chat", "agents")])


@router.post("/v1/tokenize")
async def tokenize(body: TokenizeRequest, deps: Deps) -> TokenizeReply:
    """The tokens of a prompt or of a conversation."""
    return await tokens.tokenize(deps.models.any(body.model), body)


@router.post("/v1/detokenize")
async def detokenize(body: DetokenizeRequest, deps: Deps) -> DetokenizeReply:
    """The text that tokens spell."""
    return await tokens.detokenize(deps.models.any(body.model), body)


@router.post("/v1/token-texts")
async def token_texts(body: TokenTextsRequest, deps: Deps) -> TokenTexts:
    """The texts of which these are exactly the model's tokens."""
    return TokenTexts(texts=await tokens.texts_of(deps.models.any(body.model), body.tokens, body.param))
