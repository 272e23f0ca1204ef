"""The retriever over HTTP. It has no words of its own: the retriever's errors pass through as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from pydantic import BaseModel

from contracts.core.pages import Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, ChunkEmbeddings, CommitRequest, Committed
from contracts.retrieval.collections import Collection, CollectionChange, CollectionCreate, ModelBinding
from contracts.retrieval.reindex import ReindexRequest, Shadow, ShadowPlan, ShadowRequest
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer

Answer = TypeVar("Answer", bound=BaseModel)
DELETE_SECONDS = 300.0
BACKUP_SECONDS = 300.0
"""Longest silence of a backup: a page of vectors comes every few milliseconds."""


class RetrieverIndex:
    """The `Index` that a retriever serves."""

    def __init__(self, peer: Peer, batch_seconds: float) -> None:
        self._peer = peer
        self._batch_seconds = batch_seconds

    async def create_collection(self, token: str, wanted: CollectionCreate) -> Collection:
        """`POST /v1/collections`."""
        return await self._peer.call("POST", "/v1/collections", Collection, token=token, body=wanted)

    async def list_collections(self, token: str, limit: int, cursor: str | None) -> Page[Collection]:
        """`GET /v1/collections`."""
        params = _page(limit, cursor)
        return await self._peer.call("GET", "/v1/collections", Page[Collection], token=token, params=params)

    async def get_collection(self, token: str, name: str) -> Collection:
        """`GET /v1/collections/{name}`."""
        return await self._peer.call("GET", f"/v1/collections/{name}", Collection, token=token)

    async def bind_collection(self, token: str, name: str, wanted: ModelBinding) -> Collection:
        """`POST /v1/collections/{name}/binding`."""
        return await self._peer.call("POST", f"/v1/collections/{name}/binding", Collection, token=token, body=wanted)

    async def update_collection(self, token: str, name: str, wanted: CollectionChange) -> Collection:
        """`PATCH /v1/collections/{name}`."""
        return await self._peer.call("PATCH", f"/v1/collections/{name}", Collection, token=token, body=wanted)

    async def delete_collection(self, token: str, name: str) -> None:
        """`DELETE /v1/collections/{name}`; a missing one is no error."""
        await self._delete(token, f"/v1/collections/{name}", {})

    async def put_chunks(
        self, token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        """`PUT …/revisions/{n}/chunks`."""
        path = f"{_document(collection, document_id)}/revisions/{revision}/chunks?layout={layout}"
        return await self._peer.call(
            "PUT", path, BatchIndexed, token=token, body=batch, timeout_seconds=self._batch_seconds
        )

    async def put_whole(
        self, token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        """`PUT …/revisions/{n}/chunks?commit=`; a retriever that does not know that only writes them."""
        path = f"{_document(collection, document_id)}/revisions/{revision}/chunks"
        query = f"layout={layout}&commit={len(batch.chunks)}"
        return await self._peer.call(
            "PUT", f"{path}?{query}", BatchIndexed, token=token, body=batch, timeout_seconds=self._batch_seconds
        )

    async def commit(
        self, token: str, collection: str, document_id: str, revision: int, request: CommitRequest, layout: int
    ) -> Committed:
        """`POST …/revisions/{n}/commit`."""
        path = f"{_document(collection, document_id)}/revisions/{revision}/commit?layout={layout}"
        return await self._peer.call(
            "POST", path, Committed, token=token, body=request, timeout_seconds=self._batch_seconds
        )

    async def delete_document(self, token: str, collection: str, document_id: str, revision: int) -> None:
        """`DELETE …/documents/{id}?revision=n`; a missing collection is no error."""
        await self._delete(token, _document(collection, document_id), {"revision": str(revision)})

    async def list_chunks(
        self, token: str, collection: str, document_id: str, limit: int, cursor: str | None
    ) -> Page[DocumentChunk]:
        """`GET …/documents/{id}/chunks`."""
        path = f"{_document(collection, document_id)}/chunks"
        return await self._peer.call("GET", path, Page[DocumentChunk], token=token, params=_page(limit, cursor))

    async def get_embeddings(
        self, token: str, collection: str, document_id: str, revision: int, first: int, limit: int
    ) -> ChunkEmbeddings:
        """`GET …/revisions/{n}/embeddings`."""
        path = f"{_document(collection, document_id)}/revisions/{revision}/embeddings"
        params = {"first": str(first), "limit": str(limit)}
        return await self._peer.call("GET", path, ChunkEmbeddings, token=token, params=params)

    async def plan_shadow(self, token: str, collection: str, wanted: ReindexRequest) -> ShadowPlan:
        """`POST …/shadows/plan`."""
        return await self._shadow(token, f"{_shadows(collection)}/plan", ShadowPlan, wanted)

    async def begin_shadow(self, token: str, collection: str, request: ShadowRequest) -> Shadow:
        """`POST …/shadows`."""
        return await self._shadow(token, _shadows(collection), Shadow, request)

    async def copy_shadow(self, token: str, collection: str, generation: int) -> Shadow:
        """`POST …/shadows/{g}/copy`."""
        return await self._shadow(token, f"{_shadows(collection)}/{generation}/copy", Shadow, None)

    async def flip_shadow(self, token: str, collection: str, generation: int) -> Shadow:
        """`POST …/shadows/{g}/flip`."""
        return await self._shadow(token, f"{_shadows(collection)}/{generation}/flip", Shadow, None)

    async def stage_chunks(
        self, token: str, collection: str, generation: int, document_id: str, revision: int, batch: ChunkBatch
    ) -> BatchIndexed:
        """`PUT …/shadows/{g}/documents/{id}/revisions/{n}/chunks`."""
        path = f"{_shadows(collection)}/{generation}/documents/{document_id}/revisions/{revision}/chunks"
        seconds = self._batch_seconds
        return await self._peer.call("PUT", path, BatchIndexed, token=token, body=batch, timeout_seconds=seconds)

    async def stage_commit(
        self, token: str, collection: str, generation: int, document_id: str, revision: int, request: CommitRequest
    ) -> None:
        """`POST …/shadows/{g}/documents/{id}/revisions/{n}/commit`."""
        path = f"{_shadows(collection)}/{generation}/documents/{document_id}/revisions/{revision}/commit"
        await self._peer.send("POST", path, token=token, body=request, timeout_seconds=self._batch_seconds)

    async def abandon_shadow(self, token: str, collection: str, key: str) -> None:
        """`DELETE …/shadows?key=`; a missing collection is no error."""
        await self._delete(token, _shadows(collection), {"key": key})

    async def delete_tenant(self, token: str, tenant: str) -> None:
        """`POST /v1/tenants/{name}/purge`."""
        await self._peer.send("POST", f"/v1/tenants/{tenant}/purge", token=token, timeout_seconds=DELETE_SECONDS)

    @asynccontextmanager
    async def backup(self, token: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """`GET /v1/backup`."""
        async with self._peer.stream("GET", "/v1/backup", token=token, timeout_seconds=BACKUP_SECONDS) as stream:
            yield stream.pieces()

    async def probe(self) -> None:
        """Raise unless the retriever is ready."""
        await self._peer.probe()

    async def _shadow(
        self, token: str, path: str, model: type[Answer], body: ReindexRequest | ShadowRequest | None
    ) -> Answer:
        return await self._peer.call("POST", path, model, token=token, body=body, timeout_seconds=self._batch_seconds)

    async def _delete(self, token: str, path: str, params: dict[str, str]) -> None:
        try:
            await self._peer.send("DELETE", path, token=token, params=params)
        except PeerError as error:
            if error.http_status != 404:
                raise


def _shadows(collection: str) -> str:
    return f"/v1/collections/{collection}/shadows"


def _document(collection: str, document_id: str) -> str:
    return f"/v1/collections/{collection}/documents/{document_id}"


def _page(limit: int, cursor: str | None) -> dict[str, str]:
    return {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
