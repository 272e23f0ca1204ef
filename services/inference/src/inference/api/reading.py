"""`POST /v1/reading`, for services only: the gateway's model plane asks it. Whoever may search or ask may use it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request, Response

from contracts.models.reading import ReadingReply, ReadingRequest
from inference.api.access import models_for
from inference.serving import reading
from inference.serving.lookup import ModelLookup
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(tags=["reading"])
Seen = Annotated[ModelLookup, models_for("documents", "search", "chat", "agents")]


@router.post("/v1/reading")
async def read(body: ReadingRequest, request: Request, response: Response, models: Seen) -> ReadingReply:
    """Whether and where passages answer a question; whether premises support sentences."""
    served = models.reading(body.model)
    async with while_connected(disconnected(request.receive)):
        reply = await reading.read(served, body)
    response.headers.update(served.version.headers())
    return reply
