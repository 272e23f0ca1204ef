"""Documents' revisions: chunks in batches, then a commit; and their deletion."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, status

from contracts.core.base import DocumentId, Name
from contracts.core.pages import Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, ChunkEmbeddings, CommitRequest, Committed
from retriever.api.access import Deleter, Deps, Limit, Reader, RetrieverCaller, Viewer, allowed_collection
from retriever.stores.points import RevisionKey
from servicekit.web.router import Router

router = Router(prefix="/v1/collections/{name}/documents/{document_id}", tags=["documents"])
MAX_REVISION = 2**31 - 1
Revision = Annotated[int, Path(ge=1, le=MAX_REVISION)]
Layout = Annotated[int | None, Query(ge=1, le=MAX_REVISION)]


@router.put("/revisions/{revision}/chunks")
async def put_chunks(
    name: Name,
    document_id: DocumentId,
    revision: Revision,
    body: ChunkBatch,
    caller: RetrieverCaller,
    deps: Deps,
    layout: Layout = None,
    commit: Annotated[int | None, Query(ge=1, le=MAX_REVISION)] = None,
) -> BatchIndexed:
    """Write a batch of a revision's chunks, cut for a layout (the active one, if it is not said).

    With `commit`, the number of chunks of the whole revision, it is committed, too, if nothing stands against it.
    """
    record = await allowed_collection(caller, deps, name)
    if record.is_unbound:
        text = "\n".join(chunk.text for chunk in body.chunks)
        record = await deps.collections.bind_collection(record, text, caller.token)
    key = RevisionKey(record.id, document_id, revision)
    if commit is None:
        return await deps.indexing.write_chunks(record, key, body, caller.token, layout)
    return await deps.indexing.write_and_commit(record, key, body, caller.token, commit, layout)


@router.post("/revisions/{revision}/commit")
async def commit_revision(
    name: Name,
    document_id: DocumentId,
    revision: Revision,
    body: CommitRequest,
    caller: RetrieverCaller,
    deps: Deps,
    layout: Layout = None,
) -> Committed:
    """Make a revision the visible one."""
    record = await allowed_collection(caller, deps, name)
    return await deps.indexing.commit_revision(record, RevisionKey(record.id, document_id, revision), body, layout)


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
async def delete_document(
    name: Name,
    document_id: DocumentId,
    caller: Deleter,
    deps: Deps,
    revision: Annotated[int | None, Query(ge=1, le=MAX_REVISION)] = None,
) -> None:
    """Remove a document's revisions up to this one (all that are known, without one) and refuse them for good."""
    record = await allowed_collection(caller, deps, name)
    up_to = revision or await deps.indexing.get_newest_revision(record, document_id)
    if up_to:
        await deps.indexing.delete_document(record, RevisionKey(record.id, document_id, up_to))


@router.get("/chunks")
async def list_chunks(
    name: Name,
    document_id: DocumentId,
    caller: Viewer,
    deps: Deps,
    limit: Limit = 100,
    cursor: str | None = None,
) -> Page[DocumentChunk]:
    """The chunks of the active revision by ordinal."""
    record = await allowed_collection(caller, deps, name)
    return await deps.indexing.list_chunks(record, document_id, limit, cursor)


@router.get("/revisions/{revision}/embeddings")
async def list_embeddings(
    name: Name,
    document_id: DocumentId,
    revision: Revision,
    caller: Reader,
    deps: Deps,
    first: Annotated[int, Query(ge=0)] = 0,
    limit: Limit = 500,
) -> ChunkEmbeddings:
    """The encoded embeddings of the active revision's chunks; 404 when another revision is active."""
    record = await allowed_collection(caller, deps, name)
    return await deps.indexing.list_embeddings(record, RevisionKey(record.id, document_id, revision), first, limit)
