"""`POST /v1/collections/{name}/documents/{id}/summary`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from agent.answering.graph import Answering
from agent.answering.summaries import summarise_document
from agent.api.chat import answering
from contracts.core.base import DocumentId, Name
from contracts.models.chat import DocumentSummary, SummaryRequest
from servicekit.auth.delegation import Caller, require
from servicekit.streams.disconnect import disconnected, while_connected
from servicekit.web.router import Router

router = Router(prefix="/v1/collections", tags=["documents"])


@router.post("/{name}/documents/{id}/summary", response_model=DocumentSummary)
async def summarise(
    name: Annotated[Name, Path()],
    document_id: Annotated[DocumentId, Path(alias="id")],
    body: SummaryRequest,
    request: Request,
    caller: Annotated[Caller, require("agent", "search", "chat")],
    answers: Annotated[Answering, Depends(answering)],
) -> DocumentSummary:
    """Sum a document up in its own sentences; a caller that leaves ends the work for it."""
    async with while_connected(disconnected(request.receive)):
        return await summarise_document(answers, name, document_id, body, caller, request.state.request_id)
