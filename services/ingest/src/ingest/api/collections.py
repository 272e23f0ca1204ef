"""`/v1/collections`."""

from __future__ import annotations

from fastapi import Response

from contracts.core.pages import Page
from contracts.retrieval.collections import Collection, CollectionChange, CollectionCreate
from contracts.retrieval.reindex import ReindexAccepted, ReindexRequest
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
from ingest.documents import collections
from ingest.documents.deletions import late_deletion_possible
from ingest.errors import CollectionDeleting
from ingest.jobs import reindexes
from ingest.jobs import service as jobs
from ingest.tables import ANSWERS
from servicekit.web.idempotency import CallKey, StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/collections", tags=["collections"])


@router.post("", status_code=201, response_model=Collection)
async def create(body: CollectionCreate, caller: Authorised, opened: Opened, key: IdempotencyKey = None) -> Response:
    """Make a collection, bound to its embedding model."""
    check_collection(caller, body.name)
    call = CallKey(caller.delegation.key_id, "POST /v1/collections", key) if key is not None else None
    print_ = fingerprint(body.model_dump(mode="json"))

    async def make() -> StoredAnswer:
        return StoredAnswer(201, (await _create(body, caller, opened)).model_dump_json())

    answer = await ANSWERS.once(opened.database, opened.clock, call, print_, make)
    return Response(answer.body, answer.status, media_type="application/json")


async def _create(body: CollectionCreate, caller: Authorised, opened: Opened) -> Collection:
    await collections.is_known(opened.database, caller.tenant, body.name)  # raises while a deletion is under way
    async with opened.database.read() as connection:
        if await late_deletion_possible(connection, caller.tenant, body.name, opened.clock.now()):
            raise CollectionDeleting(body.name)
    made = await opened.index.create_collection(caller.token, body)
    await collections.add_collection(opened.database, caller.tenant, body.name)
    return made


@router.get("", response_model=Page[Collection])
async def listed(caller: Reader, opened: Opened, limit: Limit = 50, cursor: Cursor = None) -> Page[Collection]:
    """The collections that the key may use. A page can be shorter than `limit` where a key may use only some."""
    page = await opened.index.list_collections(caller.token, limit, cursor)
    visible = [each for each in page.data if caller.delegation.allows_collection(each.name)]
    data = await collections.add_counts(opened.database, caller.tenant, visible)
    return Page(data=data, next_cursor=page.next_cursor)


@router.get("/{collection}", response_model=Collection)
async def one(collection: CollectionName, caller: Reader, opened: Opened) -> Collection:
    """One collection with its counts."""
    check_collection(caller, collection)
    found = await opened.index.get_collection(caller.token, collection)
    return (await collections.add_counts(opened.database, caller.tenant, [found]))[0]


@router.patch("/{collection}", response_model=Collection)
async def change(collection: CollectionName, body: CollectionChange, caller: Authorised, opened: Opened) -> Collection:
    """Change how a collection is described and searched."""
    check_collection(caller, collection)
    await collections.is_known(opened.database, caller.tenant, collection)  # raises while a deletion is under way
    changed = await opened.index.update_collection(caller.token, collection, body)
    return (await collections.add_counts(opened.database, caller.tenant, [changed]))[0]


@router.post("/{collection}/reindex", status_code=202, response_model=ReindexAccepted)
async def reindex(
    collection: CollectionName,
    body: ReindexRequest,
    caller: Authorised,
    opened: Opened,
    grant: Grant = None,
    key: IdempotencyKey = None,
) -> Response:
    """Build a new generation of a collection beside the one that serves, as a job that then flips to it."""
    check_collection(caller, collection)
    lasting = lasting_job_owner(caller, grant)
    call = CallKey(caller.delegation.key_id, f"POST /v1/collections/{collection}/reindex", key) if key else None

    async def make() -> StoredAnswer:
        await enter_collection(caller, opened, collection, {})
        await opened.index.plan_shadow(caller.token, collection, body)
        async with opened.database.write() as connection:
            row = await reindexes.create_reindex(connection, lasting, collection, body, opened.clock.now())
            job = await jobs.describe_job(connection, row, opened.clock.now())
        opened.notifier.notify(job.id, lasting.request_id)
        return StoredAnswer(202, ReindexAccepted(job=job).model_dump_json())

    print_ = fingerprint(body.model_dump(mode="json"))
    answer = await ANSWERS.once(opened.database, opened.clock, call, print_, make)
    return Response(answer.body, answer.status, media_type="application/json")


@router.delete("/{collection}", status_code=204)
async def delete(collection: CollectionName, caller: Authorised, opened: Opened, grant: Grant = None) -> None:
    """Remove a collection with all its documents; their jobs are cancelled."""
    check_collection(caller, collection)
    try:
        known = await collections.is_known(opened.database, caller.tenant, collection)
    except CollectionDeleting:
        known = True  # one that was cut short is taken up again
    if not known:
        await opened.index.get_collection(caller.token, collection)  # raises that there is none
    await opened.deletions.delete_collection(job_owner(caller, grant), caller.token, collection)
