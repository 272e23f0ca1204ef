"""`POST /v1/embeddings` and `POST /v1/rerank`. Whoever may index, search or ask may use any model: those must always
work.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Request
from fastapi.responses import Response

from contracts.models.catalog import EmbeddingReply, EmbeddingRequest, RerankReply, RerankRequest
from inference.api.access import models_for
from inference.serving import vectors
from inference.serving.lookup import ModelLookup
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(tags=["vectors"])
Seen = Annotated[ModelLookup, models_for("documents", "search", "chat", "agents")]


@router.post("/v1/embeddings", response_model=EmbeddingReply)
async def embeddings(body: EmbeddingRequest, request: Request, models: Seen) -> Response:
    """Vectors of one text or of many."""
    served = models.embedding(body.model)
    async with while_connected(disconnected(request.receive)):
        embedded = await vectors.embed(served, body)
    content = await asyncio.to_thread(vectors.embedding_reply, served.name, embedded, body.encoding_format)
    return Response(content, media_type="application/json", headers=served.version.headers())


@router.post("/v1/rerank", response_model_exclude_none=True)
async def rerank(body: RerankRequest, request: Request, response: Response, models: Seen) -> RerankReply:
    """Documents in descending relevance to a query."""
    served = models.rerank(body.model)
    async with while_connected(disconnected(request.receive)):
        ranked = await vectors.rank(served, body)
    response.headers.update(served.version.headers())
    return ranked
