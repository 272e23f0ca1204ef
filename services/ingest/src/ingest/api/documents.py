"""`/v1/collections/{collection}/documents`: uploading, listing, reading and deleting documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, TypeVar
from urllib.parse import quote

from fastapi import Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import RowMapping

from contracts.core.pages import Page
from contracts.documents import jobs as job_models
from contracts.documents.documents import Document, DocumentChunk, DocumentCreate, DocumentRevision, DocumentStatus
from ingest.api.access import (
    Authorised,
    CollectionName,
    Cursor,
    Grant,
    IdempotencyKey,
    Limit,
    Opened,
    Reader,
    check_collection,
    enter_collection,
    job_owner,
    lasting_job_owner,
)
from ingest.api.forms import from_form
from ingest.api.upload import take, take_json
from ingest.documents import collections
from ingest.documents import repository as documents
from ingest.documents.repository import as_document
from ingest.errors import BlobMissing, UnsupportedBody
from servicekit.web.json_bodies import parse
from servicekit.web.router import Router

router = Router(prefix="/v1/collections/{collection}/documents", tags=["documents"])
Found = TypeVar("Found")
MAX_REVISION = 2**31 - 1
DocumentPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
Revision = Annotated[int | None, Query(ge=1, le=MAX_REVISION)]
MAX_FIELD_BYTES = 128 * 1024
_SAME = "The same document is there already, or its bytes are known to be unreadable."
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "metadata": {"type": "string", "description": "A JSON object."},
                        "document_id": {"type": "string"},
                        "title": {"type": "string"},
                    },
                }
            },
            "application/json": {
                "schema": DocumentCreate.model_json_schema(ref_template="#/components/schemas/{model}")
            },
        },
    }
}


@router.post(
    "",
    status_code=202,
    response_model=job_models.Accepted,
    responses={200: {"model": job_models.Accepted, "description": _SAME}},
    openapi_extra=_BODY,
)
async def upload(
    collection: CollectionName,
    request: Request,
    caller: Authorised,
    opened: Opened,
    grant: Grant = None,
    key: IdempotencyKey = None,
) -> Response:
    """Take a document in: bytes and job are on disk when this answers 202."""
    check_collection(caller, collection)
    lasting = lasting_job_owner(caller, grant)
    await enter_collection(caller, opened, collection, request.headers)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "multipart/form-data":
        async with request.form(max_files=1, max_fields=8, max_part_size=MAX_FIELD_BYTES) as form:
            return await take(opened, lasting, collection, from_form(form), key)
    if media != "application/json":
        raise UnsupportedBody
    body = await parse(DocumentCreate, await request.body())
    return await take_json(opened, lasting, collection, body, key)


@router.get("", response_model=Page[Document])
async def listed(
    collection: CollectionName,
    caller: Reader,
    opened: Opened,
    status: DocumentStatus | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Document]:
    """The collection's documents, newest first; `q` looks into title, source and id."""
    check_collection(caller, collection)
    if not await collections.is_known(opened.database, caller.tenant, collection):
        await opened.index.get_collection(caller.token, collection)
    async with opened.database.read() as connection:
        return await documents.list_documents(
            connection, caller.tenant, collection, status=status, words=q, limit=limit, cursor=cursor
        )


@router.get("/{document_id}", response_model=Document)
async def one(collection: CollectionName, document_id: DocumentPath, caller: Reader, opened: Opened) -> Document:
    """One document."""
    check_collection(caller, collection)
    async with opened.database.read() as connection:
        return as_document(await documents.get_document(connection, caller.tenant, collection, document_id))


@router.delete("/{document_id}", status_code=204)
async def delete(
    collection: CollectionName, document_id: DocumentPath, caller: Authorised, opened: Opened, grant: Grant = None
) -> None:
    """Remove a document; it is gone from search when this answers, and its job is cancelled."""
    check_collection(caller, collection)
    await opened.deletions.delete_document(job_owner(caller, grant), caller.token, collection, document_id)


@router.get("/{document_id}/revisions", response_model=Page[DocumentRevision])
async def revisions(
    collection: CollectionName,
    document_id: DocumentPath,
    caller: Reader,
    opened: Opened,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DocumentRevision]:
    """The revisions that are retained, newest first."""
    check_collection(caller, collection)
    async with opened.database.read() as connection:
        document = await documents.get_document(connection, caller.tenant, collection, document_id)
        return await documents.list_revisions(connection, document, limit, cursor)


@router.get("/{document_id}/content", response_class=StreamingResponse)
async def content(
    collection: CollectionName, document_id: DocumentPath, caller: Reader, opened: Opened, revision: Revision = None
) -> Response:
    """The original bytes of a revision, by default the newest."""
    check_collection(caller, collection)

    async def found() -> tuple[RowMapping, AsyncIterator[bytes]]:
        async with opened.database.read() as connection:
            document = await documents.get_document(connection, caller.tenant, collection, document_id)
            row = await documents.get_revision(connection, document, revision)
        return row, opened.blobs.stream(row["blob_key"])

    row, pieces = await _begun(found)
    headers = {
        "Content-Length": str(row["bytes"]),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['source'], safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(pieces, headers=headers, media_type=row["media_type"])


@router.get("/{document_id}/text")
async def text(
    collection: CollectionName, document_id: DocumentPath, caller: Reader, opened: Opened, revision: Revision = None
) -> Response:
    """The extracted text of a revision, by default the active one: what spans index, in code points."""
    check_collection(caller, collection)

    async def found() -> tuple[None, AsyncIterator[bytes]]:
        async with opened.database.read() as connection:
            document = await documents.get_document(connection, caller.tenant, collection, document_id)
            parts = await documents.list_text_parts(connection, document, revision)
        return None, documents.stream_text(opened.blobs, parts)

    _, pieces = await _begun(found)
    headers = {"X-Content-Type-Options": "nosniff"}
    return StreamingResponse(pieces, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/{document_id}/chunks", response_model=Page[DocumentChunk])
async def chunks(
    collection: CollectionName,
    document_id: DocumentPath,
    caller: Reader,
    opened: Opened,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DocumentChunk]:
    """The active revision's chunks in order; none before the first commit."""
    check_collection(caller, collection)
    async with opened.database.read() as connection:
        document = await documents.get_document(connection, caller.tenant, collection, document_id)
    if document["active_revision"] is None:
        return Page(data=[], next_cursor=None)
    return await opened.index.list_chunks(caller.token, collection, document_id, limit, cursor)


async def _begun(
    found: Callable[[], Awaitable[tuple[Found, AsyncIterator[bytes]]]],
) -> tuple[Found, AsyncIterator[bytes]]:
    """What is `found`, and its bytes, of which the first are there. Where they go between the two (the document is
    deleted, or replaced) it is looked for once more, which says so; raises `BlobMissing` if they are gone for good.
    """
    try:
        about, pieces = await found()
        first = await anext(pieces)
    except BlobMissing:
        about, pieces = await found()
        first = await anext(pieces)
    return about, _chained(first, pieces)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
