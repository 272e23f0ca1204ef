"""A retriever in memory: the fences and commits of the real one, without vectors. For tests and offline trials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from contracts.core.errors import ErrorBody, ErrorType
from contracts.core.pages import Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, ChunkEmbeddings, ChunkInput, CommitRequest, Committed
from contracts.retrieval.collections import (
    AUTO_MODEL,
    Collection,
    CollectionChange,
    CollectionCreate,
    IndexState,
    ModelBinding,
    ShadowIndex,
)
from contracts.retrieval.reindex import DocumentRevision, ReindexRequest, Shadow, ShadowPlan, ShadowRequest
from contracts.retrieval.search import DEFAULT_MODEL
from servicekit.backup.file import PartWriter
from servicekit.core.errors import PeerError, ServiceError


@dataclass
class _Document:
    active: int | None = None
    fence: int = 0
    revisions: dict[int, dict[int, ChunkInput]] = field(default_factory=dict)


@dataclass
class MemoryShadow:
    """A generation that a reindex made: what was staged for it, and which revisions it has whole."""

    key: str
    generation: int
    recut: bool
    wanted: ReindexRequest
    state: Literal["building", "active", "gone"] = "building"
    staged: dict[tuple[str, int], dict[int, ChunkInput]] = field(default_factory=dict)
    whole: dict[str, int] = field(default_factory=dict)


@dataclass
class MemoryIndex:
    """An `Index` for one tenant."""

    max_input_tokens: int = 256
    obvious: bool = True
    """Whether there is nothing to choose for a collection that leaves its model open."""
    kept: dict[str, Collection] = field(default_factory=dict)
    documents: dict[tuple[str, str], _Document] = field(default_factory=dict)
    shadows: dict[str, list[MemoryShadow]] = field(default_factory=dict)
    batches: list[tuple[str, int, int]] = field(default_factory=list)
    """Each batch that came: document, revision, first ordinal."""

    async def create_collection(self, token: str, wanted: CollectionCreate) -> Collection:
        """409 `collection_exists`."""
        if wanted.name in self.kept:
            raise _refused(409, "collection_exists")
        made = Collection(
            name=wanted.name,
            description=wanted.description,
            embedding_model="default"
            if wanted.embedding_model == AUTO_MODEL and self.obvious
            else wanted.embedding_model,
            dimensions=3,
            max_input_tokens=self.max_input_tokens,
            chunking=wanted.chunking,
            language=wanted.language,
            vectors=wanted.vectors,
            mode=wanted.mode,
            rerank=wanted.rerank,
            rerank_model=_named(wanted.rerank_model),
            delete_records=wanted.delete_records,
            created_at=datetime.now(UTC),
        )
        self.kept[wanted.name] = made
        return made

    async def list_collections(self, token: str, limit: int, cursor: str | None) -> Page[Collection]:
        """All on one page."""
        return Page(data=list(self.kept.values()), next_cursor=None)

    async def get_collection(self, token: str, name: str) -> Collection:
        """404 `collection_not_found`."""
        if name not in self.kept:
            raise _refused(404, "collection_not_found")
        return self.kept[name]

    async def bind_collection(self, token: str, name: str, wanted: ModelBinding) -> Collection:
        """`english` for text in ASCII, else `many`; a collection that has a model keeps it."""
        known = await self.get_collection(token, name)
        if known.embedding_model == AUTO_MODEL:
            chosen = "english" if wanted.text.isascii() else "many"
            why = {"embedding_model": chosen, "embedding_model_reason": "its first document"}
            self.kept[name] = known.model_copy(update=why)
        return self.kept[name]

    async def update_collection(self, token: str, name: str, wanted: CollectionChange) -> Collection:
        """404 `collection_not_found`."""
        known = await self.get_collection(token, name)
        update = {**wanted.model_dump(exclude_none=True), "revision": known.revision + 1}
        update["rerank_model"] = _named(wanted.rerank_model or known.rerank_model)
        self.kept[name] = known.model_copy(update=update)
        return self.kept[name]

    async def delete_collection(self, token: str, name: str) -> None:
        """Idempotent."""
        self.kept.pop(name, None)
        self.documents = {key: value for key, value in self.documents.items() if key[0] != name}

    async def put_chunks(
        self, token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        """409 `stale_revision` or `layout_gone`."""
        await self._check_layout(token, collection, layout)
        document = await self._writable(token, collection, document_id, revision)
        chunks = document.revisions.setdefault(revision, {})
        self.batches.append((document_id, revision, batch.chunks[0].ordinal))
        new = [chunk for chunk in batch.chunks if chunk.ordinal not in chunks and chunk.embedding is None]
        chunks.update({chunk.ordinal: chunk for chunk in batch.chunks})
        tokens = sum(len(chunk.text.split()) for chunk in new)
        return BatchIndexed(embedded=len(new), reused=len(batch.chunks) - len(new), embedding_tokens=tokens)

    async def put_whole(
        self, token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        """As `put_chunks`; where only the commit fails, the answer is the batch's alone."""
        about = (collection, document_id, revision)
        request = CommitRequest(document=batch.document, chunks=len(batch.chunks))
        known = self.documents.get((collection, document_id))
        if known is not None and known.active == revision and len(known.revisions[revision]) == request.chunks:
            committed = await self.commit(token, *about, request, layout)
            return BatchIndexed(embedded=0, reused=request.chunks, committed=committed)
        indexed = await self.put_chunks(token, *about, batch, layout)
        try:
            return indexed.model_copy(update={"committed": await self.commit(token, *about, request, layout)})
        except ServiceError:
            return indexed

    async def commit(
        self, token: str, collection: str, document_id: str, revision: int, request: CommitRequest, layout: int
    ) -> Committed:
        """409 `stale_revision`, `layout_gone` or `chunks_missing`; the active revision again is answered as before."""
        known = self.documents.get((collection, document_id))
        if known is not None and known.active == revision and len(known.revisions[revision]) == request.chunks:
            return Committed(chunks=request.chunks, stale_deleted=0, collection_revision=1)
        await self._check_layout(token, collection, layout)
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

    async def list_chunks(
        self, token: str, collection: str, document_id: str, limit: int, cursor: str | None
    ) -> Page[DocumentChunk]:
        """All of the active revision on one page."""
        document = self.documents.get((collection, document_id), _Document())
        active = document.active or 0
        data = [
            DocumentChunk(
                chunk_id=f"{document_id}-{active}-{chunk.ordinal}",
                revision=active,
                **chunk.model_dump(exclude={"embedding"}),
            )
            for _, chunk in sorted(document.revisions.get(active, {}).items())
        ]
        return Page(data=data, next_cursor=None)

    async def get_embeddings(
        self, token: str, collection: str, document_id: str, revision: int, first: int, limit: int
    ) -> ChunkEmbeddings:
        """`encoded <text>` for each chunk; 404 `document_not_found`."""
        document = self.documents.get((collection, document_id), _Document())
        if document.active != revision:
            raise _refused(404, "document_not_found")
        chunks = [chunk for _, chunk in sorted(document.revisions[revision].items())][first : first + limit]
        return ChunkEmbeddings(revision=revision, first=first, embeddings=[f"encoded {each.text!r}" for each in chunks])

    async def plan_shadow(self, token: str, collection: str, wanted: ReindexRequest) -> ShadowPlan:
        """400 `nothing_to_change` when nothing is named."""
        now = await self.get_collection(token, collection)
        if wanted.model_copy(update={"switch": None}) == ReindexRequest():
            raise _refused(400, "nothing_to_change")
        recut = wanted.chunking not in (None, now.chunking)
        return ShadowPlan(embedding_model=wanted.embedding_model or now.embedding_model, recut=recut)

    async def begin_shadow(self, token: str, collection: str, request: ShadowRequest) -> Shadow:
        """The shadow of a key, in place of any other."""
        plan = await self.plan_shadow(token, collection, request.wanted)
        shadows = self.shadows.setdefault(collection, [])
        known = next((each for each in shadows if each.key == request.key), None)
        if known is None:
            known = MemoryShadow(request.key, len(shadows) + 2, plan.recut, request.wanted)
            for other in shadows:
                other.state = "gone" if other.state == "building" else other.state
            shadows.append(known)
            self._show(collection, known)
        return self._describe(collection, known)

    async def copy_shadow(self, token: str, collection: str, generation: int) -> Shadow:
        """Copies one document a call, or names those that it waits for."""
        shadow = await self._shadow(token, collection, generation)
        left = self._left(collection, shadow)
        if shadow.state != "building" or not left:
            return self._describe(collection, shadow)
        if shadow.recut:
            wanted = [DocumentRevision(document_id=name, revision=revision) for name, revision in left.items()]
            return self._describe(collection, shadow).model_copy(update={"wanted": wanted})
        name, revision = next(iter(left.items()))
        shadow.whole[name] = revision
        return self._describe(collection, shadow).model_copy(update={"copied": 1})

    async def stage_chunks(
        self, token: str, collection: str, generation: int, document_id: str, revision: int, batch: ChunkBatch
    ) -> BatchIndexed:
        """409 `shadow_gone`."""
        shadow = await self._shadow(token, collection, generation, building=True)
        staged = shadow.staged.setdefault((document_id, revision), {})
        staged.update({chunk.ordinal: chunk for chunk in batch.chunks})
        tokens = sum(len(chunk.text.split()) for chunk in batch.chunks)
        return BatchIndexed(embedded=len(batch.chunks), reused=0, embedding_tokens=tokens)

    async def stage_commit(
        self, token: str, collection: str, generation: int, document_id: str, revision: int, request: CommitRequest
    ) -> None:
        """409 `shadow_gone` or `chunks_missing`."""
        shadow = await self._shadow(token, collection, generation, building=True)
        if sorted(shadow.staged.setdefault((document_id, revision), {})) != list(range(request.chunks)):
            raise _refused(409, "chunks_missing")
        shadow.whole[document_id] = revision

    async def flip_shadow(self, token: str, collection: str, generation: int) -> Shadow:
        """Takes over what was staged."""
        shadow = await self._shadow(token, collection, generation)
        if shadow.state == "building" and not self._left(collection, shadow):
            shadow.state = "active"
            self.kept[collection] = self._after(collection, shadow)
            for (name, revision), chunks in shadow.staged.items():
                document = self.documents.get((collection, name))
                if document is not None and document.active == revision:
                    document.revisions[revision] = chunks
        return self._describe(collection, shadow)

    async def abandon_shadow(self, token: str, collection: str, key: str) -> None:
        """For good; idempotent."""
        shadows = self.shadows.setdefault(collection, [])
        if all(each.key != key for each in shadows):
            shadows.append(MemoryShadow(key, len(shadows) + 2, recut=False, wanted=ReindexRequest(), state="gone"))
        for shadow in shadows:
            if shadow.key == key and shadow.state == "building":
                shadow.state = "gone"
                self._show(collection, None)

    async def delete_tenant(self, token: str, tenant: str) -> None:
        """Deleted collections leave nothing here."""

    @asynccontextmanager
    async def backup(self, token: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A part with nothing in it: this index is made anew with its process."""

        async def nothing() -> AsyncIterator[bytes]:
            yield PartWriter("retriever").end()

        yield nothing()

    async def probe(self) -> None:
        """It always works."""

    def found(self, collection: str, document_id: str) -> list[ChunkInput]:
        """What a search could find of a document: its active revision or, before any, its newest."""
        document = self.documents.get((collection, document_id), _Document())
        visible = document.active or max(document.revisions, default=0)
        return [chunk for _, chunk in sorted(document.revisions.get(visible, {}).items())]

    async def _shadow(self, token: str, collection: str, generation: int, *, building: bool = False) -> MemoryShadow:
        await self.get_collection(token, collection)
        found = next((each for each in self.shadows.get(collection, []) if each.generation == generation), None)
        if found is None or (building and found.state != "building"):
            raise _refused(409, "shadow_gone")
        return found

    def _left(self, collection: str, shadow: MemoryShadow) -> dict[str, int]:
        here = {name: each.active for (where, name), each in self.documents.items() if where == collection}
        return {name: n for name, n in here.items() if n is not None and shadow.whole.get(name) != n}

    def _describe(self, collection: str, shadow: MemoryShadow) -> Shadow:
        left = len(self._left(collection, shadow)) if shadow.state == "building" else 0
        progress = 1 / (1 + left)
        return Shadow(
            generation=shadow.generation, state=shadow.state, recut=shadow.recut, left=left, progress=progress
        )

    def _after(self, collection: str, shadow: MemoryShadow) -> Collection:
        now, wanted = self.kept[collection], shadow.wanted
        layout = shadow.generation if shadow.recut else now.index.layout
        changed = wanted.model_dump(exclude_none=True, include={"embedding_model", "language"})
        if wanted.chunking is not None:
            changed["chunking"] = wanted.chunking
        index = IndexState(generation=shadow.generation, layout=layout)
        return now.model_copy(update={**changed, "index": index, "revision": now.revision + 1})

    def _show(self, collection: str, shadow: MemoryShadow | None) -> None:
        now = self.kept[collection]
        index = now.index.model_copy(update={"state": "green", "shadow": None})
        if shadow is not None:
            after = self._after(collection, shadow)
            names = ("embedding_model", "dimensions", "max_input_tokens", "chunking")
            facts = {name: getattr(after, name) for name in names}
            shown = ShadowIndex(generation=shadow.generation, layout=after.index.layout, **facts)
            index = now.index.model_copy(update={"state": "building", "shadow": shown})
        self.kept[collection] = now.model_copy(update={"index": index})

    async def _check_layout(self, token: str, collection: str, layout: int) -> None:
        if layout != (await self.get_collection(token, collection)).index.layout:
            raise _refused(409, "layout_gone")

    async def _writable(self, token: str, collection: str, document_id: str, revision: int) -> _Document:
        await self.get_collection(token, collection)
        document = self.documents.setdefault((collection, document_id), _Document())
        if revision <= document.fence:
            raise _refused(409, "stale_revision")
        return document


def _named(model: str | None) -> str | None:
    return None if model == DEFAULT_MODEL else model


def _refused(status: int, code: str) -> PeerError:
    kinds: dict[int, ErrorType] = {400: "invalid_request", 404: "not_found"}
    kind = kinds.get(status, "conflict")
    return PeerError(status, ErrorBody(type=kind, code=code, message=f"The index refused: {code}."))
