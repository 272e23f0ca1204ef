"""`POST /v1/classify`. Which models a caller may use is the gateway's question."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

from contracts.models.classification import ClassifyReply, ClassifyRequest
from inference.api.access import Deps
from inference.serving import classification
from servicekit.auth.delegation import require
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(tags=["classification"], dependencies=[require("inference", "chat")])


@router.post("/v1/classify", response_model=ClassifyReply)
async def classify(body: ClassifyRequest, request: Request, deps: Deps) -> Response:
    """The labels of one text or of many; `default` is the default embedding model."""
    served = deps.models.any(body.model)
    async with while_connected(disconnected(request.receive)):
        classified = await classification.classify(served, body)
    content = await asyncio.to_thread(classification.classify_reply, served.name, classified)
    return Response(content, media_type="application/json", headers=served.version.headers())
