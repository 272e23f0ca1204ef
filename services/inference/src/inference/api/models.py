"""`GET /v1/models` and the models' tokenizers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from fastapi.responses import Response

from contracts.models.catalog import ModelList
from inference.api.access import Deps
from servicekit.auth.delegation import require
from servicekit.web.router import Router

router = Router(tags=["models"], dependencies=[require("inference", "documents", "search", "chat", "agents")])


@router.get("/v1/models")
async def models(deps: Deps) -> ModelList:
    """Every declared model, whether it is loaded yet or not."""
    return ModelList(data=[served.info() for served in deps.models.all])


@router.get("/v1/models/{model}/tokenizer", response_class=Response)
async def tokenizer(
    model: str,
    deps: Deps,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The model's `tokenizer.json`, without truncation and padding. `default` is the default embedding model's."""
    served = deps.models.any(model)
    await served.load()
    content, etag = served.tokenizer()
    known = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
    headers = {"ETag": etag, "Cache-Control": "private, max-age=300"}
    if etag in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
