"""`/v1/collections/{collection}/documents:batch`: up to 100 documents, each taken or refused for itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Request as Call
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from contracts.core.base import Request
from contracts.documents.batches import MAX_BATCH_DOCUMENTS, BatchReply, DocumentBatch, Refused
from contracts.documents.documents import DocumentCreate
from contracts.documents.jobs import Accepted
from ingest.api.access import (
    Authorised,
    CollectionName,
    Grant,
    IdempotencyKey,
    Opened,
    check_collection,
    enter_collection,
    lasting_job_owner,
)
from ingest.api.upload import keep_url
from ingest.dependencies import Dependencies
from ingest.documents.submission import from_text
from ingest.tables import ANSWERS
from servicekit.core.errors import ServiceError
from servicekit.jobs.tables import JobOwner
from servicekit.web.error_handlers import from_validation
from servicekit.web.idempotency import CallKey, StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/collections", tags=["documents"])
AT_ONCE = 4
"""Documents of one batch that are fetched or stored at once."""


class _Unparsed(Request):
    """`DocumentBatch` whose documents have not been looked at, so that a wrong one refuses only itself."""

    documents: Annotated[list[Any], Field(min_length=1, max_length=MAX_BATCH_DOCUMENTS)]


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": DocumentBatch.model_json_schema(ref_template="#/components/schemas/{model}")}
        },
    }
}


@router.post("/{collection}/documents:batch", status_code=202, response_model=BatchReply, openapi_extra=_BODY)
async def upload_batch(
    collection: CollectionName,
    body: _Unparsed,
    request: Call,
    caller: Authorised,
    opened: Opened,
    grant: Grant = None,
    key: IdempotencyKey = None,
) -> Response:
    """Take several documents in; bytes and job of each that a result accepts are on disk when this answers."""
    check_collection(caller, collection)
    lasting = lasting_job_owner(caller, grant)
    await enter_collection(caller, opened, collection, request.headers)
    call = (
        CallKey(lasting.key_id, f"POST /v1/collections/{collection}/documents:batch", key) if key is not None else None
    )
    print_ = fingerprint(collection, body.documents)

    async def take() -> StoredAnswer:
        return await _take_all(opened, lasting, collection, body.documents)

    return _response(await ANSWERS.once(opened.database, opened.clock, call, print_, take))


async def _take_all(
    opened: Dependencies, job_owner: JobOwner, collection: str, documents: Sequence[Any]
) -> StoredAnswer:
    """All of them, some at once; those with the same `document_id` in their order, so that the last one wins."""
    deadline = asyncio.get_running_loop().time() + opened.fetches.seconds
    results: dict[int, Accepted | Refused] = {}
    places = asyncio.Semaphore(AT_ONCE)

    async def take_in_order(numbers: Sequence[int]) -> None:
        async with places:
            for number in numbers:
                results[number] = await _take(opened, job_owner, collection, number, documents[number], deadline)

    async with asyncio.TaskGroup() as group:
        for numbers in _by_identity(documents):
            group.create_task(take_in_order(numbers))
    reply = BatchReply(results=[results[number] for number in range(len(documents))])
    return StoredAnswer(202, reply.model_dump_json())


async def _take(
    opened: Dependencies, job_owner: JobOwner, collection: str, number: int, document: Any, deadline: float
) -> Accepted | Refused:
    try:
        body = _parsed(document)
        if body.text is not None:
            answer = await opened.intake.take(job_owner, collection, from_text(body, body.text))
        else:
            answer = await keep_url(opened, job_owner, collection, body, deadline=deadline)
    except ServiceError as error:
        if error.param is not None:
            error.param = f"documents.{number}.{error.param}"
        return Refused(error=error.body(job_owner.request_id))
    return Accepted.model_validate_json(answer.body)


def _parsed(document: Any) -> DocumentCreate:
    try:
        return DocumentCreate.model_validate(document)
    except ValidationError as error:
        raise from_validation(RequestValidationError(error.errors(include_url=False))) from None


def _by_identity(documents: Sequence[Any]) -> list[list[int]]:
    """The documents' numbers, those with the same `document_id` together."""
    groups: dict[str, list[int]] = {}
    for number, document in enumerate(documents):
        given = document.get("document_id") if isinstance(document, dict) else None
        groups.setdefault(json.dumps(given if given is not None else [number]), []).append(number)
    return list(groups.values())


def _response(answer: StoredAnswer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
