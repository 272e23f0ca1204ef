"""Documents in the stand-in for ingest: each has one chunk, which is all of its text."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request
from tests.support.gateway.seen import Seen

from servicekit.auth.delegation import Caller, require
from servicekit.core.errors import NotFound

AT = "2026-01-01T00:00:00Z"


def shelves(app: FastAPI, seen: Seen) -> None:
    """Routes that read the documents of `seen`."""
    path = "/v1/collections/{name}/documents"

    @app.get(path)
    async def listed(name: str, request: Request, caller: Annotated[Caller, require("ingest")]) -> Any:
        seen.note("ingest", request, caller)
        return {"data": [document_of(name, one) for one in seen.documents], "next_cursor": None}

    def text_of(document: str) -> str:
        if document not in seen.documents:
            raise NotFound(f"There is no document '{document}'.", param="id")
        return seen.documents[document]

    @app.get(f"{path}/{{document}}")
    async def shown(name: str, document: str, caller: Annotated[Caller, require("ingest")]) -> Any:
        text_of(document)
        return document_of(name, document)

    @app.get(f"{path}/{{document}}/chunks")
    async def chunks(name: str, document: str, caller: Annotated[Caller, require("ingest")]) -> Any:
        text = text_of(document)
        chunk = {"chunk_id": f"c_{document}", "ordinal": 0, "revision": 1, "text": text, "start": 0, "end": len(text)}
        return {"data": [chunk], "next_cursor": None}


def document_of(collection: str, name: str) -> dict[str, Any]:
    about = {"bytes": 9, "sha256": "0", "created_at": AT, "updated_at": AT, "media_type": "text/markdown"}
    return {
        "id": name,
        "collection": collection,
        "title": name,
        "source": f"{name}.md",
        "revision": 1,
        "status": "ready",
        **about,
    }
