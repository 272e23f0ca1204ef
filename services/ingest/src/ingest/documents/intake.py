"""Taking a submission in: its bytes are stored, document and job are committed, then a worker is notified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from contracts.documents.jobs import Accepted
from ingest import metrics
from ingest.blobs.references import delete_unreferenced
from ingest.documents import uploads
from ingest.documents.repository import as_document
from ingest.documents.submission import Examination, Submission, examine
from ingest.documents.uploads import Upload
from ingest.jobs import service as jobs
from ingest.ports import BlobStore, Kept, Notifier
from ingest.tables import ANSWERS
from servicekit.core.clock import Clock
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction
from servicekit.web.idempotency import CallKey, StoredAnswer, fingerprint

log = structlog.get_logger(__name__)
TO_CHANGE = "These bytes are there already. To change it, delete the document and upload it again."


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes documents in. The answer is made here, since it is kept for a repeated call with the document itself."""

    database: Database
    blobs: BlobStore
    notifier: Notifier
    clock: Clock

    async def take(
        self,
        job_owner: JobOwner,
        collection: str,
        submission: Submission,
        call: CallKey | None = None,
        *,
        begun: bool = False,
    ) -> StoredAnswer:
        """Bytes first, then document and job, then the wake-up. With a `call` its first answer is given again.

        `begun`: whether the caller has noted the call already. Raises `EmptyFile`, `UnsupportedDocument`,
        `CollectionNotFound` or `CollectionDeleting`.
        """
        upload = _upload(job_owner, collection, submission, await examine(submission))
        if call is None and (answer := await self._known(upload)) is not None:
            return answer
        stored = named = False
        try:
            async with self.blobs.keeping(upload.blob_key) as kept:
                await self.blobs.put(upload.blob_key, submission.content)
                stored = True
                answer, job_id = await self._commit(upload, kept, call, begun=begun)
                named = job_id is not None
        finally:
            if stored and not named:  # refused, or answered before: nothing may name these bytes
                await delete_unreferenced(self.database, self.blobs, job_owner.tenant, [upload.blob_key])
        if job_id is not None:
            self.notifier.notify(job_id, job_owner.request_id)
        return answer

    async def _commit(
        self, upload: Upload, kept: Kept, call: CallKey | None, *, begun: bool
    ) -> tuple[StoredAnswer, str | None]:
        """Document, job and the kept answer in one transaction; the job's id if there is a new job."""
        now = self.clock.now()
        async with self.database.write() as connection:
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

    async def _known(self, upload: Upload) -> StoredAnswer | None:
        """The answer for bytes that are there already; nothing is written for them."""
        if not await uploads.may_be_known(self.database, upload):
            return None
        now = self.clock.now()
        async with self.database.read() as connection:
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


def _account(upload: Upload, accepted: Accepted) -> None:
    outcome = "unchanged" if accepted.unchanged else "new" if accepted.document.revision == 1 else "revision"
    metrics.UPLOADS.labels(outcome).inc()
    metrics.UPLOAD_BYTES.inc(0 if accepted.unchanged else upload.bytes)
    job_id = accepted.job.id if accepted.job else None
    log.info("document accepted", document_id=accepted.document.id, outcome=outcome, job_id=job_id)


def _upload(job_owner: JobOwner, collection: str, submission: Submission, examined: Examination) -> Upload:
    return Upload(
        job_owner=job_owner,
        collection=collection,
        document_id=submission.document_id,
        title=submission.title,
        fallback_title=submission.fallback_title[:500],
        source=submission.source,
        media_type=examined.media_type,
        metadata=submission.metadata,
        bytes=examined.bytes,
        sha256=examined.sha256,
        blob_key=f"{job_owner.tenant}/{examined.sha256}",
    )


def _fingerprint(upload: Upload) -> str:
    """Of what the caller sent, so that a repeated multipart body with another boundary is the same call."""
    return fingerprint(
        upload.collection, upload.document_id, upload.title, upload.source, upload.metadata, upload.sha256
    )
