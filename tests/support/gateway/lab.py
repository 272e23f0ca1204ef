"""A small stand-in for the lab behind the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Request
from tests.support.gateway import peers
from tests.support.gateway.seen import Seen

from servicekit.auth.delegation import Caller, require


def lab(public_key: Path, seen: Seen) -> FastAPI:
    """Has nothing but a tenant's deletion."""
    app = peers._app(public_key, "lab")

    @app.post("/v1/tenants/{name}/purge", status_code=204)
    async def purge(name: str, request: Request, caller: Annotated[Caller, require("lab")]) -> None:
        seen.note("lab", request, caller)

    return app
