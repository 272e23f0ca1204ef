"""The facts that end a call of the retriever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from servicekit.core.errors import Conflict, Forbidden, Internal, InvalidRequest, NotFound, NotReady


class CollectionNotFound(NotFound):
    """There is no such collection in this tenant."""

    code = "collection_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no collection '{name}'. GET /v1/collections lists them.", param="collection")


class CollectionExists(Conflict):
    """The tenant has a collection of this name."""

    code = "collection_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"The collection '{name}' exists already. Use it, or choose another name.", param="name")


class CollectionNotAllowed(Forbidden):
    """The caller's key is restricted to other collections."""

    code = "collection_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(f"This key may not use the collection '{name}'. Ask for a key that may.", param="collection")


class LayoutGone(Conflict):
    """Chunks were cut as the collection no longer wants them."""

    code = "layout_gone"

    def __init__(self, layout: int, active: int) -> None:
        super().__init__(
            f"These chunks were cut for layout {layout}, but the collection was reindexed and has layout {active}. "
            "Read the collection again, cut its way and send all chunks of the revision.",
            param="layout",
        )


class NothingToChange(InvalidRequest):
    """A reindex names only what is so already."""

    code = "nothing_to_change"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The collection '{name}' is like this already. Name what is to change: embedding_model, chunking, "
            "language or vectors."
        )


class CollectionUnbound(Conflict):
    """A collection without documents has nothing to index anew, nor a model yet."""

    code = "collection_unbound"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The collection '{name}' is empty, and its embedding model is chosen by its first document: there is "
            "nothing to reindex. Add a document, or delete it and create it with the embedding_model that you want."
        )


class ShadowGone(Conflict):
    """The generation is not being built: it was abandoned, or it serves already."""

    code = "shadow_gone"

    def __init__(self, number: int) -> None:
        super().__init__(f"Generation {number} of this collection is not being built. Start another reindex.")


class GenerationNotFound(NotFound):
    """A search names an index that is neither the one that serves nor being built."""

    code = "generation_not_found"

    def __init__(self, name: str, number: int) -> None:
        super().__init__(
            f"The collection '{name}' has no generation {number} now: `index` of GET /v1/collections/{name} has its "
            "numbers. Leave `generation` out to search the one that serves.",
            param="generation",
        )


class GenerationOfSeveral(InvalidRequest):
    """A search of several collections names a generation."""

    code = "generation_of_several"

    def __init__(self) -> None:
        super().__init__("A generation is one collection's: name that collection alone.", param="generation")


class DocumentNotFound(NotFound):
    """The collection has no such document with a committed revision."""

    code = "document_not_found"

    def __init__(self, document_id: str) -> None:
        super().__init__(f"There is no indexed document '{document_id}' in this collection.", param="document_id")


class StaleRevision(Conflict):
    """The revision is at or below the document's committed or deleted one."""

    code = "stale_revision"

    def __init__(self, document_id: str, revision: int, fence: int) -> None:
        super().__init__(
            f"Revision {revision} of document '{document_id}' came too late: revisions up to {fence} are committed "
            "or deleted. Send a higher revision.",
            param="revision",
        )


class ChunksMissing(Conflict):
    """A commit named more or other chunks than have arrived."""

    code = "chunks_missing"

    def __init__(self, document_id: str, revision: int, expected: int, found: int) -> None:
        super().__init__(
            f"Revision {revision} of document '{document_id}' should have {expected} chunks with ordinals from 0, "
            f"but {found} are here. Send the missing ones, then commit again.",
            param="chunks",
        )


class EmbeddingModelUnknown(InvalidRequest):
    """Inference serves no embedding model of this name."""

    code = "embedding_model_unknown"

    def __init__(self, name: str, known: list[str]) -> None:
        names = ", ".join(f"'{model}'" for model in known) or "none"
        super().__init__(f"There is no embedding model '{name}'. Known here: {names}.", param="embedding_model")


class LanguageUnknown(InvalidRequest):
    """A collection's words can't be analysed in this language."""

    code = "language_unknown"

    def __init__(self, language: str, known: Sequence[str]) -> None:
        super().__init__(
            f"There is no analysis for the language '{language}'. Use 'auto', or one of: {', '.join(known)}.",
            param="language",
        )


class EmbeddingMismatch(InvalidRequest):
    """The model's vectors don't have the length that the collection is bound to."""

    code = "embedding_mismatch"

    def __init__(self, model: str, expected: int, got: int) -> None:
        super().__init__(
            f"The model '{model}' gave vectors of length {got}, but the collection holds vectors of length {expected}. "
            "Serve the model that the collection was made with.",
            param="embedding_model",
        )


class MetadataUnusable(InvalidRequest):
    """A document's metadata can't be kept beside each of its chunks."""

    code = "metadata_unusable"

    def __init__(self, what: str) -> None:
        super().__init__(f"The document's metadata can't be used: {what}.", param="document.metadata")


class FilterUnusable(InvalidRequest):
    """A filter names a key that no engine can look up."""

    code = "filter_unusable"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The key '{key}' can't be tested by range. Use `match`, or a key without a backslash.", param="filter"
        )


class GenerationMissing(Internal):
    """The catalog names a generation that the vector store does not have."""

    code = "vectors_missing"

    def __init__(self) -> None:
        super().__init__(
            "The vectors of this collection are missing from the vector store. Restore them from a backup, or delete "
            "the collection and index its documents again."
        )


class VectorEngineFailed(Internal):
    """The embedded engine gave up in the middle of a call, which is a defect of it or of ours."""

    code = "vector_engine_failed"

    def __init__(self) -> None:
        super().__init__("The vector engine failed over this call. Give the request id to your operator.")


class VectorStoreLocked(NotReady):
    """Another process owns the embedded store's folder."""

    code = "vector_store_locked"

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(
            f"The vector store in {folder} is in use by another process ({owner or 'unknown'}). Stop that one, give "
            "this one another RETRIEVER_DATA_DIR, or let both use a Qdrant server by RETRIEVER_QDRANT_URL."
        )


class VectorStoreUnavailable(NotReady):
    """The vector store does not answer."""

    code = "vector_store_unavailable"

    def __init__(self) -> None:
        super().__init__("The vector store can't be reached now. Try again shortly.", retry_after=2)


class BackupOvertaken(Conflict):
    """Points that a backup was to hold are gone: its collection was removed and made again meanwhile."""

    code = "backup_overtaken"

    def __init__(self) -> None:
        super().__init__("A collection was removed while it was being backed up. Begin the backup again.")
