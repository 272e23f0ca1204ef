"""`POST /v1/classify`. Which models a caller may use is the gateway's question."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Request, Response

from contracts.models.classification import ClassifyReply, ClassifyRequest
from inference.api.access import models_for
from inference.serving import classification
from inference.serving.lookup import ModelLookup
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(tags=["classification"])
Seen = Annotated[ModelLookup, models_for("chat")]


@router.post("/v1/classify", response_model=ClassifyReply)
async def classify(body: ClassifyRequest, request: Request, models: Seen) -> Response:
    """The labels of one text or of many; `default` is the default embedding model."""
    served = models.any(body.model)
    async with while_connected(disconnected(request.receive)):
        classified = await classification.classify(served, body)
    content = await asyncio.to_thread(classification.classify_reply, served.name, classified)
    return Response(content, media_type="application/json", headers=served.version.headers())
