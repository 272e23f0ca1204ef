"""Search."""

from __future__ import annotations

from fastapi import APIRouter

from contracts.search import SearchReply, SearchRequest
from retriever.routes.access import Opened, RetrieverCaller, check_allowed

router = APIRouter(prefix="/v1/search", tags=["search"])


@router.post("")
async def search(body: SearchRequest, caller: RetrieverCaller, opened: Opened) -> SearchReply:
    """The best hits of one or several collections."""
    for name in body.collections:
        check_allowed(caller, name)
    return await opened.searching.search(caller.tenant, body, caller.token)
