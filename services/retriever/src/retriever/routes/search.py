"""Search."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from contracts.search import SearchReply, SearchRequest
from retriever.routes.access import Opened, RetrieverCaller, check_allowed

router = APIRouter(prefix="/v1/search", tags=["search"])


@router.post("", response_model=SearchReply)
async def search(body: SearchRequest, caller: RetrieverCaller, opened: Opened) -> Response:
    """The best hits of one or several collections."""
    for name in body.collections:
        check_allowed(caller, name)
    reply = await opened.searching.search(caller.tenant, body, caller.token)
    return Response(reply.model_dump_json(), media_type="application/json")  # FastAPI would validate it once more
