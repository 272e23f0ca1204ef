"""Documents over HTTP: the retriever."""

from __future__ import annotations

from contracts.core.pages import Item, Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.collections import Collection
from servicekit.peers.client import Peer

MAX_PAGES = 50
"""Of 200 things, that one list is read by."""


class RetrieverLibrary:
    """`Library` by the retriever service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def collections(self, token: str) -> list[str]:
        """`GET /v1/collections`, page by page."""
        found = await self._pages("/v1/collections", Page[Collection], token)
        return [collection.name for collection in found]

    async def collection(self, name: str, token: str) -> Collection:
        """`GET /v1/collections/{name}`."""
        return await self._peer.call("GET", f"/v1/collections/{name}", Collection, token=token)

    async def chunks(self, collection: str, document_id: str, token: str) -> list[DocumentChunk]:
        """`GET …/documents/{id}/chunks`, page by page."""
        path = f"/v1/collections/{collection}/documents/{document_id}/chunks"
        return await self._pages(path, Page[DocumentChunk], token)

    async def probe(self) -> None:
        """Whether the retriever is ready."""
        await self._peer.probe()

    async def _pages(self, path: str, page: type[Page[Item]], token: str) -> list[Item]:
        found: list[Item] = []
        params = {"limit": "200"}
        for _ in range(MAX_PAGES):
            read = await self._peer.call("GET", path, page, token=token, params=params)
            found.extend(read.data)
            if read.next_cursor is None:
                break
            params["cursor"] = read.next_cursor
        return found
