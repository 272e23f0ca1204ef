"""Search."""

from __future__ import annotations

from fastapi.responses import Response

from contracts.search import SearchReply, SearchRequest
from retriever.api.access import Opened, Searcher, check_allowed
from retriever.dependencies import Dependencies
from servicekit.auth.delegation import Caller
from servicekit.web.router import Router

PATH = "/v1/search"

router = Router(prefix=PATH, tags=["search"])


@router.post("", response_model=SearchReply)
async def search(body: SearchRequest, caller: Searcher, opened: Opened) -> Response:
    """The best hits of one or several collections."""
    return await answer(body, caller, opened)


async def answer(body: SearchRequest, caller: Caller, opened: Dependencies) -> Response:
    """The answer to a search; raises a `ServiceError`."""
    for name in body.collections:
        check_allowed(caller, name)
    reply = await opened.searching.search(caller.tenant, body, caller.token)
    return Response(reply.model_dump_json(), media_type="application/json")  # FastAPI would validate it once more
