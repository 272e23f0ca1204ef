"""Inference's stand-in for texts that become vectors, labels and ranks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Request
from tests.support.gateway.seen import Seen

from servicekit.auth.delegation import Caller, require


def answer_texts(app: FastAPI, seen: Seen) -> None:
    """Vectors, labels and ranks."""

    @app.post("/v1/embeddings")
    async def embed(request: Request, caller: Annotated[Caller, require("inference")]) -> Any:
        body = await request.json()
        seen.note("inference", request, caller, body)
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        while texts == ["hang"] and not await request.is_disconnected():  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        vector: Any = "AACAPwAAAEAAAEBA" if body.get("encoding_format") == "base64" else [1.0, 2.0, 3.0]
        data = [{"object": "embedding", "index": at, "embedding": vector} for at in range(len(texts))]
        told = -5 if texts == ["a lie"] else 5 * len(texts)
        usage = {"prompt_tokens": told, "total_tokens": 5 * len(texts), "truncated": 0}
        return {"object": "list", "data": data, "model": body["model"], "usage": usage}

    @app.post("/v1/classify")
    async def classify(request: Request, caller: Annotated[Caller, require("inference")]) -> Any:
        body = await request.json()
        seen.note("inference", request, caller, body)
        usage = {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9, "truncated": 0}
        return {"model": body["model"], "results": [{"label": "a", "scores": {"a": 0.75, "b": 0.25}}], "usage": usage}

    @app.post("/v1/rerank")
    async def rank(request: Request, caller: Annotated[Caller, require("inference")]) -> Any:
        seen.note("inference", request, caller, await request.json())
        usage = {"total_tokens": 40}
        return {"model": "judge", "results": [{"index": 1, "relevance_score": 0.9}], "usage": usage}
