"""A retriever in memory: the fences and commits of the real one, without vectors. For tests and offline trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.collections import Collection, CollectionChange, CollectionCreate
from contracts.documents import DocumentChunk
from contracts.errors import ErrorBody
from contracts.indexing import BatchIndexed, ChunkBatch, ChunkEmbeddings, ChunkInput, CommitRequest, Committed
from contracts.pages import Page
from servicekit.errors import PeerError


@dataclass
class _Document:
    active: int | None = None
    fence: int = 0
    revisions: dict[int, dict[int, ChunkInput]] = field(default_factory=dict)


@dataclass
class MemoryIndex:
    """An `Index` for one tenant."""

    max_input_tokens: int = 256
    kept: dict[str, Collection] = field(default_factory=dict)
    documents: dict[tuple[str, str], _Document] = field(default_factory=dict)
    batches: list[tuple[str, int, int]] = field(default_factory=list)
    """Each batch that came: document, revision, first ordinal."""

    async def create_collection(self, token: str, wanted: CollectionCreate) -> Collection:
        """409 `collection_exists`."""
        if wanted.name in self.kept:
            raise _refused(409, "collection_exists")
        made = Collection(
            name=wanted.name,
            description=wanted.description,
            embedding_model=wanted.embedding_model,
            dimensions=3,
            max_input_tokens=self.max_input_tokens,
            chunking=wanted.chunking,
            language=wanted.language,
            vectors=wanted.vectors,
            rerank=wanted.rerank,
            created_at=datetime.now(UTC),
        )
        self.kept[wanted.name] = made
        return made

    async def collections(self, token: str, limit: int, cursor: str | None) -> Page[Collection]:
        """All on one page."""
        return Page(data=list(self.kept.values()), next_cursor=None)

    async def collection(self, token: str, name: str) -> Collection:
        """404 `collection_not_found`."""
        if name not in self.kept:
            raise _refused(404, "collection_not_found")
        return self.kept[name]

    async def change_collection(self, token: str, name: str, wanted: CollectionChange) -> Collection:
        """404 `collection_not_found`."""
        known = await self.collection(token, name)
        update = {**wanted.model_dump(exclude_none=True), "revision": known.revision + 1}
        self.kept[name] = known.model_copy(update=update)
        return self.kept[name]

    async def delete_collection(self, token: str, name: str) -> None:
        """Idempotent."""
        self.kept.pop(name, None)
        self.documents = {key: value for key, value in self.documents.items() if key[0] != name}

    async def put_chunks(
        self, token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch
    ) -> BatchIndexed:
        """409 `stale_revision`."""
        document = await self._writable(token, collection, document_id, revision)
        chunks = document.revisions.setdefault(revision, {})
        self.batches.append((document_id, revision, batch.chunks[0].ordinal))
        new = [chunk for chunk in batch.chunks if chunk.ordinal not in chunks and chunk.embedding is None]
        chunks.update({chunk.ordinal: chunk for chunk in batch.chunks})
        return BatchIndexed(embedded=len(new), reused=len(batch.chunks) - len(new))

    async def commit(
        self, token: str, collection: str, document_id: str, revision: int, request: CommitRequest
    ) -> Committed:
        """409 `stale_revision` or `chunks_missing`; committing the active revision again is answered as before."""
        known = self.documents.get((collection, document_id))
        if known is not None and known.active == revision and len(known.revisions[revision]) == request.chunks:
            return Committed(chunks=request.chunks, stale_deleted=0, collection_revision=1)
        document = await self._writable(token, collection, document_id, revision)
        if sorted(document.revisions.get(revision, {})) != list(range(request.chunks)):
            raise _refused(409, "chunks_missing")
        document.active = document.fence = revision
        document.revisions = {revision: document.revisions[revision]}
        return Committed(chunks=request.chunks, stale_deleted=0, collection_revision=1)

    async def delete_document(self, token: str, collection: str, document_id: str, revision: int) -> None:
        """Idempotent."""
        document = self.documents.setdefault((collection, document_id), _Document())
        document.fence = max(document.fence, revision)
        document.revisions = {n: chunks for n, chunks in document.revisions.items() if n > revision}
        if document.active is not None and document.active <= revision:
            document.active = None

    async def chunks(
        self, token: str, collection: str, document_id: str, limit: int, cursor: str | None
    ) -> Page[DocumentChunk]:
        """All of the active revision on one page."""
        document = self.documents.get((collection, document_id), _Document())
        active = document.active or 0
        data = [
            DocumentChunk(
                chunk_id=f"{document_id}-{active}-{chunk.ordinal}",
                revision=active,
                **chunk.model_dump(exclude={"header", "embedding"}),
            )
            for _, chunk in sorted(document.revisions.get(active, {}).items())
        ]
        return Page(data=data, next_cursor=None)

    async def embeddings(
        self, token: str, collection: str, document_id: str, revision: int, first: int, limit: int
    ) -> ChunkEmbeddings:
        """`sealed <text>` for each chunk; 404 `document_not_found`."""
        document = self.documents.get((collection, document_id), _Document())
        if document.active != revision:
            raise _refused(404, "document_not_found")
        chunks = [chunk for _, chunk in sorted(document.revisions[revision].items())][first : first + limit]
        return ChunkEmbeddings(revision=revision, first=first, embeddings=[f"sealed {each.text!r}" for each in chunks])

    async def probe(self) -> None:
        """It always works."""

    def found(self, collection: str, document_id: str) -> list[ChunkInput]:
        """What a search could find of a document: its active revision or, before any, its newest."""
        document = self.documents.get((collection, document_id), _Document())
        visible = document.active or max(document.revisions, default=0)
        return [chunk for _, chunk in sorted(document.revisions.get(visible, {}).items())]

    async def _writable(self, token: str, collection: str, document_id: str, revision: int) -> _Document:
        await self.collection(token, collection)
        document = self.documents.setdefault((collection, document_id), _Document())
        if revision <= document.fence:
            raise _refused(409, "stale_revision")
        return document


def _refused(status: int, code: str) -> PeerError:
    kind = "not_found" if status == 404 else "conflict"
    return PeerError(status, ErrorBody(type=kind, code=code, message=f"The index refused: {code}."))
