"""A document's archive: `GET …/documents/{id}/backup` and `POST …/documents:restore`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Annotated

from fastapi import Path, Request, Response
from fastapi.responses import StreamingResponse

from contracts.documents.jobs import Accepted
from contracts.retrieval.collections import Collection
from extraction.chunking.headers import most_chars
from ingest import metrics
from ingest.api.access import (
    Authorised,
    CollectionName,
    Grant,
    Opened,
    Reader,
    check_collection,
    enter_collection,
    lasting_job_owner,
)
from ingest.dependencies import Dependencies
from ingest.documents.repository import as_document
from ingest.export import exporter, importer
from ingest.export.archive import PIECE
from ingest.export.errors import UnsupportedArchive
from ingest.jobs import service as jobs
from servicekit.jobs.tables import JobOwner
from servicekit.web.router import Router

router = Router(prefix="/v1/collections/{collection}", tags=["documents"])
MEDIA_TYPE = "application/zip"
TAKEN = frozenset((MEDIA_TYPE, "application/octet-stream"))
"""What a client may call an archive that it sends back."""
DocumentPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,200}$")]


@router.get("/documents/{document_id}/backup", response_class=StreamingResponse)
async def backup(
    collection: CollectionName, document_id: DocumentPath, caller: Reader, opened: Opened
) -> StreamingResponse:
    """All of a document as one ZIP: the original, the text, how it is cut, and its embeddings."""
    check_collection(caller, collection)
    file = await exporter.export_document(
        opened.database, opened.blobs, opened.index, caller.token, caller.tenant, collection, document_id
    )
    headers = {
        "Content-Length": str(file.seek(0, 2)),
        "Content-Disposition": f'attachment; filename="{document_id}.zip"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_pieces(file), headers=headers, media_type=MEDIA_TYPE)


@router.post(
    "/documents:restore",
    status_code=202,
    response_model=Accepted,
    responses={200: {"model": Accepted, "description": "The same document is there already."}},
)
async def restore(
    collection: CollectionName, request: Request, caller: Authorised, opened: Opened, grant: Grant = None
) -> Response:
    """Take a document in as an archive has it: what it needs is on disk when this answers 202."""
    check_collection(caller, collection)
    lasting = lasting_job_owner(caller, grant)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in TAKEN:
        raise UnsupportedArchive
    await enter_collection(caller, opened, collection, request.headers)
    into = await opened.index.get_collection(caller.token, collection)
    async with opened.archives.received(caller.tenant, request.stream()) as file:
        return await _restored(opened, lasting, into, file)


async def _restored(opened: Dependencies, job_owner: JobOwner, into: Collection, file: IO[bytes]) -> Response:
    most_header = most_chars(into.max_input_tokens)
    async with opened.archives.archive(job_owner.tenant, file, into.embedding_model, most_header) as archive:
        given = (opened.database, opened.blobs, opened.clock, job_owner, into.name, into.index.layout)
        accepted = await importer.restore_document(*given, archive)
    async with opened.database.read() as connection:
        job = (
            await jobs.describe_job(connection, accepted.job, opened.clock.now()) if accepted.job is not None else None
        )
    reply = Accepted(document=as_document(accepted.document), job=job, unchanged=accepted.unchanged)
    metrics.UPLOADS.labels("unchanged" if accepted.unchanged else "restored").inc()
    if not accepted.unchanged and accepted.job is not None:
        opened.notifier.notify(accepted.job["id"], job_owner.request_id)
    return Response(reply.model_dump_json(), 200 if accepted.unchanged else 202, media_type="application/json")


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
