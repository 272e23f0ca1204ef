"""What ingest needs from outside, each with more than one implementation: `testing/` has the fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from contracts.core.pages import Page
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.chunks import BatchIndexed, ChunkBatch, ChunkEmbeddings, CommitRequest, Committed
from contracts.retrieval.collections import Collection, CollectionChange, CollectionCreate, ModelBinding
from contracts.retrieval.reindex import ReindexRequest, Shadow, ShadowPlan, ShadowRequest
from extraction.chunking.tokens import Tokens
from servicekit.sql.transaction import Transaction


class Kept(Protocol):
    """Bytes that are not removed for the time being."""

    async def confirm(self, connection: Transaction) -> None:
        """Call it in the transaction that names the bytes; raises `BlobBusy` if they may be gone by now."""
        ...


class BlobStore(Protocol):
    """Bytes by key. A key is `<tenant>/<sha256 of the bytes>`, so that putting the same bytes twice is harmless.

    Any method raises `BlobStoreAway` while a store on other hosts can't be used.
    """

    def keeping(self, *keys: str) -> AbstractAsyncContextManager[Kept]:
        """While the block lasts these bytes are not removed: put them and commit the row that names them within it.

        Raises `BlobBusy` if a removal hangs.
        """
        ...

    async def put(self, key: str, source: BinaryIO) -> None:
        """Store all of `source`; the bytes are on disk, whole, when this returns."""
        ...

    async def read(self, key: str) -> bytes:
        """All bytes; raises `BlobMissing`."""
        ...

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces; raises `BlobMissing` at the first."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether the bytes are there."""
        ...

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The bytes as a file to read while the block lasts; raises `BlobMissing`."""
        ...

    async def remove_unless(self, key: str, wanted: Callable[[], Awaitable[bool]]) -> None:
        """Remove the bytes, unless `wanted()`, asked while nobody is `keeping` them, says that a row names them.

        Bytes that somebody goes on keeping stay; whatever happens meanwhile, bytes that are wanted are never away.
        """
        ...

    async def remove_tenant(self, tenant: str) -> None:
        """Remove all bytes of a tenant, whether or not rows name them."""
        ...

    def old_keys(self, seconds: float) -> AsyncIterator[list[str]]:
        """The keys of what was put at least so long ago, some at a time; what broken-off calls left is removed."""
        ...

    async def probe(self) -> None:
        """Raise unless bytes can be written."""
        ...

    async def concern(self) -> str:
        """What an operator should mend though bytes can be written; empty if nothing."""
        ...


class Index(Protocol):
    """The retriever. `token` is forwarded; errors are `ServiceError`s with the retriever's codes."""

    async def create_collection(self, token: str, wanted: CollectionCreate) -> Collection:
        """A new collection; 409 `collection_exists`."""
        ...

    async def list_collections(self, token: str, limit: int, cursor: str | None) -> Page[Collection]:
        """A page of the tenant's collections."""
        ...

    async def get_collection(self, token: str, name: str) -> Collection:
        """One collection; 404 `collection_not_found`."""
        ...

    async def bind_collection(self, token: str, name: str, wanted: ModelBinding) -> Collection:
        """A collection with an embedding model: chosen by this text of its first document, if it has none yet."""
        ...

    async def update_collection(self, token: str, name: str, wanted: CollectionChange) -> Collection:
        """Change its description or how it is searched."""
        ...

    async def delete_collection(self, token: str, name: str) -> None:
        """Remove a collection and all that is in it; a missing one is no error."""
        ...

    async def put_chunks(
        self, token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        """Index some chunks of a revision, cut for a layout; 409 `stale_revision` or `layout_gone`."""
        ...

    async def put_whole(
        self, token: str, collection: str, document_id: str, revision: int, batch: ChunkBatch, layout: int
    ) -> BatchIndexed:
        """`put_chunks` with all of a revision, and `commit`, in one call; its `committed` says whether it was.

        Where it is null, commit it: that may go well, or says why not. Again for the active revision it is answered as
        before.
        """
        ...

    async def commit(
        self, token: str, collection: str, document_id: str, revision: int, request: CommitRequest, layout: int
    ) -> Committed:
        """Make a revision the active one; 409 `stale_revision`, `layout_gone` or `chunks_missing`."""
        ...

    async def delete_document(self, token: str, collection: str, document_id: str, revision: int) -> None:
        """Remove revisions up to `revision` and refuse them from now on; a missing collection is no error."""
        ...

    async def list_chunks(
        self, token: str, collection: str, document_id: str, limit: int, cursor: str | None
    ) -> Page[DocumentChunk]:
        """The active revision's chunks in order."""
        ...

    async def get_embeddings(
        self, token: str, collection: str, document_id: str, revision: int, first: int, limit: int
    ) -> ChunkEmbeddings:
        """The encoded embeddings of chunks of the active revision; 404 `document_not_found` when it is another."""
        ...

    async def plan_shadow(self, token: str, collection: str, wanted: ReindexRequest) -> ShadowPlan:
        """What a reindex would make; 400 `embedding_model_unknown` or `nothing_to_change`."""
        ...

    async def begin_shadow(self, token: str, collection: str, request: ShadowRequest) -> Shadow:
        """Begin the shadow of a key, or find it again."""
        ...

    async def copy_shadow(self, token: str, collection: str, generation: int) -> Shadow:
        """Bring the next chunks over, or learn which documents are waited for."""
        ...

    async def stage_chunks(
        self, token: str, collection: str, generation: int, document_id: str, revision: int, batch: ChunkBatch
    ) -> BatchIndexed:
        """Send chunks that were cut for a shadow; 409 `shadow_gone` or `stale_revision`."""
        ...

    async def stage_commit(
        self, token: str, collection: str, generation: int, document_id: str, revision: int, request: CommitRequest
    ) -> None:
        """Say that a shadow has all of a revision; 409 `shadow_gone`, `stale_revision` or `chunks_missing`."""
        ...

    async def flip_shadow(self, token: str, collection: str, generation: int) -> Shadow:
        """Let a shadow serve if it lacks nothing."""
        ...

    async def abandon_shadow(self, token: str, collection: str, key: str) -> None:
        """End the shadow of a key for good and remove it; a missing collection is no error."""
        ...

    async def delete_tenant(self, token: str, tenant: str) -> None:
        """Remove whatever is left of a tenant, also of collections whose deletion was begun."""
        ...

    def backup(self, token: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The retriever's part of a backup, of the moment at which the block is entered; for the installation only."""
        ...

    async def probe(self) -> None:
        """Raise unless the retriever is ready."""
        ...


class TokenSource(Protocol):
    """Where a worker gets the right to act for the key that started a job."""

    async def token(self, grant: str, *, fresh: bool = False) -> str:
        """A token that is valid for a while yet; `fresh` ignores what is cached. 403 `key_revoked`."""
        ...

    async def ask_budget(self, grant: str) -> None:
        """Return if the key's budgets have anything left; raises a 429 `budget_exceeded` if not."""
        ...


class Platform(Protocol):
    """The rest of the platform, by way of the gateway."""

    async def delete_tenant(self, token: str, tenant: str) -> None:
        """Have everything of a tenant removed that agents and the gateway have, the tenant itself last."""
        ...


class TokenizerSource(Protocol):
    """Where the embedding models' tokenizers come from."""

    async def tokens(self, token: str, model: str) -> Tokens:
        """The model's tokenizer."""
        ...


class Notifier(Protocol):
    """Wakes a worker. Only ever a hint: a lost ring costs a worker's next look, never a job."""

    def notify(self, job_id: str, request_id: str) -> None:
        """Say that there is a job. Returns at once and never fails."""
        ...

    async def probe(self) -> None:
        """Raise unless rings can be sent now."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a far server said of a document that it gave."""

    url: str
    """The final URL, after redirects."""
    filename: str
    """As the server named it, else the last part of the URL's path; may be empty."""
    declared: str
    """Its Content-Type without parameters, lower-case; may be empty."""


class Fetcher(Protocol):
    """Gets documents from the web, from nowhere that the operator's address policy refuses."""

    async def fetch(self, url: str, into: BinaryIO) -> Fetched:
        """Write what is behind the URL to `into`. Size and silence are bounded here, the whole time by the caller.

        Raises `UrlRefused`, `FetchFailed`, `FarServerFailed`, `FetchTimeout` or `FetchTooLarge`.
        """
        ...
