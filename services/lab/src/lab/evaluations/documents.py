"""What a run reads of a collection: as its key reads it, through the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from contracts.core.pages import Page
from contracts.documents.documents import Document, DocumentChunk
from contracts.retrieval.search import Hit, SearchOptions, SearchReply
from lab.evaluations.target import REQUEST_ID
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer

SEARCH_SECONDS = 120.0
PAGE = "200"
_GONE = 404


class Documents(Protocol):
    """A collection's documents, chunks and searches, by a token of the key's."""

    async def list_documents(self, token: str, collection: str, cursor: str | None) -> Page[Document]:
        """Those that are ready, newest first."""

    async def list_chunks(
        self, token: str, collection: str, document_id: str, cursor: str | None
    ) -> Page[DocumentChunk]:
        """Of the active revision, in order."""

    async def find(self, token: str, collection: str, document_id: str) -> Document | None:
        """One, or none where it is gone."""

    async def search(self, token: str, collection: str, options: SearchOptions, request_id: str) -> Sequence[Hit]:
        """What is found, the best first; charged under the request's id."""

    async def embedded_by(self, token: str, collection: str, options: SearchOptions, request_id: str) -> str | None:
        """The embedding model that a search took; none where it took none."""


@dataclass(frozen=True, slots=True)
class GatewayDocuments:
    """The gateway's model plane, which answers as its public API does."""

    gateway: Peer

    async def list_documents(self, token: str, collection: str, cursor: str | None) -> Page[Document]:
        """As `Documents` says."""
        params = _page(cursor) | {"status": "ready"}
        return await self.gateway.call("GET", _path(collection), Page[Document], token=token, params=params)

    async def list_chunks(
        self, token: str, collection: str, document_id: str, cursor: str | None
    ) -> Page[DocumentChunk]:
        """As `Documents` says."""
        path = f"{_path(collection)}/{quote(document_id, safe='')}/chunks"
        return await self.gateway.call("GET", path, Page[DocumentChunk], token=token, params=_page(cursor))

    async def find(self, token: str, collection: str, document_id: str) -> Document | None:
        """As `Documents` says."""
        path = f"{_path(collection)}/{quote(document_id, safe='')}"
        try:
            return await self.gateway.call("GET", path, Document, token=token)
        except PeerError as error:
            if error.http_status == _GONE:
                return None
            raise

    async def search(self, token: str, collection: str, options: SearchOptions, request_id: str) -> Sequence[Hit]:
        """As `Documents` says."""
        return (await self._searched(token, collection, options, request_id)).hits

    async def embedded_by(self, token: str, collection: str, options: SearchOptions, request_id: str) -> str | None:
        """As `Documents` says."""
        return (await self._searched(token, collection, options, request_id)).usage.embedding_model

    async def _searched(self, token: str, collection: str, options: SearchOptions, request_id: str) -> SearchReply:
        path = f"/v1/collections/{quote(collection, safe='')}/search"
        headers: Mapping[str, Any] = {REQUEST_ID: request_id}
        return await self.gateway.call(
            "POST", path, SearchReply, token=token, body=options, headers=headers, timeout_seconds=SEARCH_SECONDS
        )


def _path(collection: str) -> str:
    return f"/v1/collections/{quote(collection, safe='')}/documents"


def _page(cursor: str | None) -> dict[str, str]:
    return {"limit": PAGE} if cursor is None else {"limit": PAGE, "cursor": cursor}
