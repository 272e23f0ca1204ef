"""One upload from examined bytes to the answer."""

from __future__ import annotations

from datetime import datetime

import structlog
from fastapi import Response

from contracts.documents.documents import DocumentCreate
from contracts.documents.jobs import Accepted
from ingest import metrics
from ingest.blobs.references import delete_unreferenced
from ingest.dependencies import Dependencies
from ingest.documents import submission as receiving
from ingest.documents import uploads
from ingest.documents.repository import as_document
from ingest.documents.submission import Examined, Wanted
from ingest.documents.uploads import Upload
from ingest.jobs import service as jobs
from ingest.ports import Kept
from ingest.tables import ANSWERS
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction
from servicekit.web.idempotency import CallKey, StoredAnswer, fingerprint

log = structlog.get_logger(__name__)
TO_CHANGE = "These bytes are there already. To change it, delete the document and upload it again."


async def take(opened: Dependencies, job_owner: JobOwner, collection: str, wanted: Wanted, key: str | None) -> Response:
    """Store, commit, then wake a worker. With an `Idempotency-Key` the first call's answer is given again."""
    answer = await _keep(opened, job_owner, collection, wanted, _call_key(job_owner, collection, key))
    return _response(answer)


async def take_json(
    opened: Dependencies, job_owner: JobOwner, collection: str, body: DocumentCreate, key: str | None
) -> Response:
    """The same for a text or a URL."""
    if body.text is not None:
        return await take(opened, job_owner, collection, receiving.from_text(body, body.text), key)
    return await take_url(opened, job_owner, collection, body, key)


async def take_url(
    opened: Dependencies, job_owner: JobOwner, collection: str, body: DocumentCreate, key: str | None
) -> Response:
    """The same for a document to fetch first. A repeated call with its `Idempotency-Key` does not fetch again."""
    call = _call_key(job_owner, collection, key)
    print_ = fingerprint(collection, body.model_dump(mode="json"))

    async def keep() -> StoredAnswer:
        return await keep_url(opened, job_owner, collection, body, call)

    return _response(await ANSWERS.once(opened.database, opened.clock, call, print_, keep))


async def keep_text(opened: Dependencies, job_owner: JobOwner, collection: str, body: DocumentCreate) -> StoredAnswer:
    """Keep a text without an `Idempotency-Key` of its own; the answer as an upload gives it."""
    return await _keep(opened, job_owner, collection, receiving.from_text(body, body.text or ""), None)


async def keep_url(
    opened: Dependencies,
    job_owner: JobOwner,
    collection: str,
    body: DocumentCreate,
    begun: CallKey | None = None,
    deadline: float | None = None,
) -> StoredAnswer:
    """Fetch and keep a document, and the answer for a call that has `begun`; for `deadline` see `FetchService`."""
    receiving.check_metadata(body.metadata)
    async with opened.fetches.document(job_owner.tenant, body.url or "", deadline) as (fetched, content):
        wanted = receiving.from_url(body, fetched, content)
        return await _keep(opened, job_owner, collection, wanted, begun, begun=begun is not None)


async def _keep(
    opened: Dependencies,
    job_owner: JobOwner,
    collection: str,
    wanted: Wanted,
    call: CallKey | None,
    *,
    begun: bool = False,
) -> StoredAnswer:
    """Bytes first, then document and job, then the wake-up."""
    upload = _upload(job_owner, collection, wanted, await receiving.examine(wanted))
    if call is None and (answer := await _known(opened, upload)) is not None:
        return answer
    stored = named = False
    try:
        async with opened.blobs.keeping(upload.blob_key) as kept:
            await opened.blobs.put(upload.blob_key, wanted.content)
            stored = True
            answer, job_id = await _commit(opened, upload, kept, call, begun=begun)
            named = job_id is not None
    finally:
        if stored and not named:  # refused, or answered before: nothing may name these bytes
            await delete_unreferenced(opened.database, opened.blobs, job_owner.tenant, [upload.blob_key])
    if job_id is not None:
        opened.notifier.notify(job_id, job_owner.request_id)
    return answer


async def _commit(
    opened: Dependencies, upload: Upload, kept: Kept, call: CallKey | None, *, begun: bool
) -> tuple[StoredAnswer, str | None]:
    """Document, job and the kept answer in one transaction; the job's id if there is a new job."""
    now = opened.clock.now()
    async with opened.database.write() as connection:
        if call is not None and not begun:
            stored = await ANSWERS.begin(connection, call, _fingerprint(upload), now)
            if stored is not None:
                return stored, None
        accepted = await uploads.accept(connection, upload, now)
        body = await _reply(connection, upload, accepted, now)
        answer = StoredAnswer(200 if accepted.unchanged else 202, body.model_dump_json())
        if call is not None:
            await ANSWERS.finish(connection, call, answer)
        await kept.confirm(connection)
    _account(upload, body)
    return answer, body.job.id if body.job is not None and not accepted.unchanged else None


async def _known(opened: Dependencies, upload: Upload) -> StoredAnswer | None:
    """The answer for bytes that are there already; nothing is written for them."""
    if not await uploads.may_be_known(opened.database, upload):
        return None
    now = opened.clock.now()
    async with opened.database.read() as connection:
        accepted = await uploads.known(connection, upload, now)
        if accepted is None:
            return None
        body = await _reply(connection, upload, accepted, now)
    _account(upload, body)
    return StoredAnswer(200, body.model_dump_json())


async def _reply(connection: Transaction, upload: Upload, accepted: uploads.Accepted, now: datetime) -> Accepted:
    job = await jobs.describe_job(connection, accepted.job, now) if accepted.job is not None else None
    left_out = uploads.left_out(upload, accepted.document) if accepted.unchanged else []
    warnings = [f"The document keeps its {name}. {TO_CHANGE}" for name in left_out]
    return Accepted(document=as_document(accepted.document), job=job, unchanged=accepted.unchanged, warnings=warnings)


def _call_key(job_owner: JobOwner, collection: str, key: str | None) -> CallKey | None:
    return None if key is None else CallKey(job_owner.key_id, f"POST /v1/collections/{collection}/documents", key)


def _response(answer: StoredAnswer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")


def _account(upload: Upload, accepted: Accepted) -> None:
    outcome = "unchanged" if accepted.unchanged else "new" if accepted.document.revision == 1 else "revision"
    metrics.UPLOADS.labels(outcome).inc()
    metrics.UPLOAD_BYTES.inc(0 if accepted.unchanged else upload.bytes)
    job_id = accepted.job.id if accepted.job else None
    log.info("document accepted", document_id=accepted.document.id, outcome=outcome, job_id=job_id)


def _upload(job_owner: JobOwner, collection: str, wanted: Wanted, examined: Examined) -> Upload:
    return Upload(
        job_owner=job_owner,
        collection=collection,
        document_id=wanted.document_id,
        title=wanted.title,
        fallback_title=wanted.fallback_title[:500],
        source=wanted.source,
        media_type=examined.media_type,
        metadata=wanted.metadata,
        bytes=examined.bytes,
        sha256=examined.sha256,
        blob_key=f"{job_owner.tenant}/{examined.sha256}",
    )


def _fingerprint(upload: Upload) -> str:
    """Of what the caller sent, so that a repeated multipart body with another boundary is the same call."""
    return fingerprint(
        upload.collection, upload.document_id, upload.title, upload.source, upload.metadata, upload.sha256
    )
