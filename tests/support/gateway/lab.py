"""A small stand-in for the lab behind the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Request
from tests.support.gateway import peers
from tests.support.gateway.seen import Seen

from servicekit.auth.delegation import Caller, require


def lab(public_key: Path, seen: Seen) -> FastAPI:
    """Has nothing but the deletion of a tenant, and of what was made of a document."""
    app = peers._app(public_key, "lab")

    @app.post("/v1/tenants/{name}/purge", status_code=204)
    async def purge(name: str, request: Request, caller: Annotated[Caller, require("lab")]) -> None:
        seen.note("lab", request, caller)

    @app.post("/v1/documents/deleted", status_code=204)
    async def deleted(request: Request, caller: Annotated[Caller, require("lab", "documents")]) -> None:
        seen.note("lab", request, caller, await request.json())

    return app
