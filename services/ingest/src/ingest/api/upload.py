"""One upload between its call and the intake: the call's key, a URL fetched first, the kept answer as a response."""

from __future__ import annotations

from fastapi import Response

from contracts.documents.documents import DocumentCreate
from ingest.dependencies import Dependencies
from ingest.documents.submission import Submission, check_metadata, from_text, from_url
from ingest.tables import ANSWERS
from servicekit.jobs.tables import JobOwner
from servicekit.web.idempotency import CallKey, StoredAnswer, fingerprint


async def take(
    opened: Dependencies, job_owner: JobOwner, collection: str, submission: Submission, key: str | None
) -> Response:
    """Take a submission in. With an `Idempotency-Key` the first call's answer is given again."""
    call = _call_key(job_owner, collection, key)
    return _response(await opened.intake.take(job_owner, collection, submission, call))


async def take_json(
    opened: Dependencies, job_owner: JobOwner, collection: str, body: DocumentCreate, key: str | None
) -> Response:
    """The same for a text or a URL."""
    if body.text is not None:
        return await take(opened, job_owner, collection, from_text(body, body.text), key)
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


async def keep_url(
    opened: Dependencies,
    job_owner: JobOwner,
    collection: str,
    body: DocumentCreate,
    begun: CallKey | None = None,
    deadline: float | None = None,
) -> StoredAnswer:
    """Fetch a document and take it in, for a call that has `begun`; for `deadline` see `FetchService`."""
    check_metadata(body.metadata)
    async with opened.fetches.document(job_owner.tenant, body.url or "", deadline) as (fetched, content):
        submission = from_url(body, fetched, content)
        return await opened.intake.take(job_owner, collection, submission, begun, begun=begun is not None)


def _call_key(job_owner: JobOwner, collection: str, key: str | None) -> CallKey | None:
    return None if key is None else CallKey(job_owner.key_id, f"POST /v1/collections/{collection}/documents", key)


def _response(answer: StoredAnswer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
