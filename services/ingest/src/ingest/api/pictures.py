"""`GET /v1/collections/{collection}/documents/{id}/pages/{n}.png`: a page of a PDF as a picture, with spans marked."""

from __future__ import annotations

import json
import re
from typing import Annotated

from fastapi import Header, Path, Query, Response

from extraction.pictures.spans import merged
from ingest.api.access import CollectionName, Opened, Reader, check_collection
from ingest.api.documents import DocumentPath, Revision
from ingest.documents import repository as documents
from ingest.errors import BlobMissing
from ingest.pictures.errors import SpansInvalid
from ingest.pictures.service import PageRequest, Span, get_page
from servicekit.web.router import Router

router = Router(prefix="/v1/collections/{collection}/documents/{document_id}/pages", tags=["documents"])
MOST_SPANS = 50
BOXES_HEADER = "X-Groundwork-Boxes"
_SPAN = re.compile(r"(\d{1,10})-(\d{1,10})")
PageNumber = Annotated[int, Path(ge=1, le=999_999)]
Spans = Annotated[str | None, Query(max_length=1200)]


@router.get("/{n}.png", response_class=Response)
async def get_picture(
    collection: CollectionName,
    document_id: DocumentPath,
    n: PageNumber,
    caller: Reader,
    opened: Opened,
    spans: Spans = None,
    revision: Revision = None,
    known: Annotated[str | None, Header(alias="If-None-Match", max_length=1000)] = None,
) -> Response:
    """Page `n` of a revision, by default the active one; `spans` are pairs `start-end` of its text, by commas."""
    check_collection(caller, collection)
    wanted = _spans(spans)

    async def found() -> PageRequest:
        async with opened.database.read() as connection:
            document = await documents.get_document(connection, caller.tenant, collection, document_id)
            return await get_page(connection, document, revision, n, wanted)

    page = await found()
    if page.etag in (known or ""):
        return Response(status_code=304, headers=_cached(page))
    try:
        picture = await opened.pictures.draw(caller.tenant, page)
    except BlobMissing:  # deleted or replaced since: looking again says so
        page = await found()
        picture = await opened.pictures.draw(caller.tenant, page)
    boxes = json.dumps(picture.boxes, separators=(",", ":"))
    headers = {**_cached(page), BOXES_HEADER: boxes, "X-Content-Type-Options": "nosniff"}
    return Response(picture.png, media_type="image/png", headers=headers)


def _cached(page: PageRequest) -> dict[str, str]:
    """A browser asks each time whether it may show what it has: the document may be gone, or the key."""
    return {"ETag": page.etag, "Cache-Control": "private, no-cache"}


def _spans(given: str | None) -> list[Span]:
    """The places that a query names, in order; raises `SpansInvalid`."""
    found = []
    for each in given.split(",") if given else ():
        match = _SPAN.fullmatch(each.strip())
        if match is None or int(match[1]) >= int(match[2]):
            raise SpansInvalid(MOST_SPANS)
        found.append((int(match[1]), int(match[2])))
    if len(found) > MOST_SPANS:
        raise SpansInvalid(MOST_SPANS)
    return merged(found)
