"""Shadow generations: how ingest drives a reindex, step by step. Every call may be repeated."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, status

from contracts.core.base import DocumentId, Name
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, CommitRequest
from contracts.retrieval.reindex import ReindexRequest, Shadow, ShadowPlan, ShadowRequest
from retriever.api.access import Deleter, Deps, RetrieverCaller, allowed_collection
from retriever.api.documents import MAX_REVISION, Revision
from retriever.stores.points import RevisionKey
from servicekit.web.router import Router

router = Router(prefix="/v1/collections/{name}/shadows", tags=["shadows"])
Number = Annotated[int, Path(ge=1, le=MAX_REVISION)]


@router.post("/plan")
async def plan_shadow(name: Name, body: ReindexRequest, caller: RetrieverCaller, deps: Deps) -> ShadowPlan:
    """What a reindex would make; refuses what can't be done or would change nothing."""
    record = await allowed_collection(caller, deps, name)
    return await deps.reindex.plan_shadow(record, body, caller.token)


@router.post("")
async def create_shadow(name: Name, body: ShadowRequest, caller: RetrieverCaller, deps: Deps) -> Shadow:
    """Begin the shadow of a key, or find it again."""
    record = await allowed_collection(caller, deps, name)
    return await deps.reindex.create_shadow(record, body.key, body.wanted, caller.token)


@router.post("/{number}/copy")
async def copy_chunks(name: Name, number: Number, caller: RetrieverCaller, deps: Deps) -> Shadow:
    """Bring the next chunks over, or say which documents' chunks are waited for."""
    record = await allowed_collection(caller, deps, name)
    return await deps.reindex.copy_chunks(record, number, caller.token)


@router.put("/{number}/documents/{document_id}/revisions/{revision}/chunks")
async def stage_chunks(
    name: Name,
    number: Number,
    document_id: DocumentId,
    revision: Revision,
    body: ChunkBatch,
    caller: RetrieverCaller,
    deps: Deps,
) -> BatchIndexed:
    """Write chunks that were cut for the shadow."""
    record = await allowed_collection(caller, deps, name)
    key = RevisionKey(record.id, document_id, revision)
    return await deps.reindex.stage_chunks(record, number, key, body, caller.token)


@router.post("/{number}/documents/{document_id}/revisions/{revision}/commit", status_code=status.HTTP_204_NO_CONTENT)
async def commit_staged(
    name: Name,
    number: Number,
    document_id: DocumentId,
    revision: Revision,
    body: CommitRequest,
    caller: RetrieverCaller,
    deps: Deps,
) -> None:
    """Say that all chunks of a revision are in the shadow."""
    record = await allowed_collection(caller, deps, name)
    await deps.reindex.commit_staged(record, number, RevisionKey(record.id, document_id, revision), body)


@router.post("/{number}/flip")
async def flip_shadow(name: Name, number: Number, caller: RetrieverCaller, deps: Deps) -> Shadow:
    """Let the shadow serve if it lacks nothing; otherwise it says what is left."""
    record = await allowed_collection(caller, deps, name)
    return await deps.reindex.flip_shadow(record, number)


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
async def delete_shadow(
    name: Name, caller: Deleter, deps: Deps, key: Annotated[str, Query(min_length=1, max_length=80)]
) -> None:
    """End the shadow of a key for good and remove it; the active generation is untouched."""
    record = await allowed_collection(caller, deps, name)
    await deps.reindex.delete_shadow(record, key)
