"""Collections: a named set of documents bound to one embedding model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.core.abstention import Abstain, AbstainOrDefault
from contracts.core.base import Count, Line, Name, Reply, Request, Timestamp
from contracts.retrieval.search import RerankModel, SearchMode

ChunkingStrategy = Literal["auto", "recursive", "markdown", "sentence", "fixed"]


class Chunking(Request):
    """How a collection's documents are cut. Sizes are in tokens of the collection's embedding model.

    `max_tokens` null means as many as the embedding model reads (less the room for the context header).
    """

    strategy: ChunkingStrategy = "auto"
    max_tokens: Annotated[int, Field(ge=16, le=8192)] | None = None
    overlap: Annotated[int, Field(ge=0, le=4096)] = 0

    @model_validator(mode="after")
    def _overlap_below_half(self) -> Chunking:
        if self.max_tokens is not None and self.overlap * 2 > self.max_tokens:
            raise ValueError("overlap must be at most half of max_tokens")
        return self


class VectorOptions(Request):
    """How a collection's vectors are kept.

    `scalar` keeps one byte a dimension in memory (a quarter), `binary` one bit; both look again at the full vectors of
    the best candidates. `on_disk` leaves the full vectors on disk.
    """

    quantization: Literal["none", "scalar", "binary"] = "none"
    on_disk: bool = False


Language = Annotated[str, StringConstraints(pattern=r"^(auto|[a-z]{2})$")]
"""`auto`, or a two-letter code of ISO 639-1."""


AUTO_MODEL = "auto"
"""The embedding model of a collection that leaves it to its first document."""


class CollectionCreate(Request):
    """Body of `POST /v1/collections`.

    `language` says how words are analysed for BM25; `auto` looks at each text. `embedding_model` is a model's name,
    `default`, or `auto`: one that reads `language`, else the language of the first document.
    """

    name: Name
    description: Annotated[Line, StringConstraints(max_length=2000)] = ""
    embedding_model: str = AUTO_MODEL
    chunking: Chunking = Chunking()
    language: Language = "auto"
    vectors: VectorOptions = VectorOptions()
    mode: SearchMode = "hybrid"
    """How searches look that don't say so themselves: by meaning, by words, or both."""
    rerank: bool = False
    """Whether searches that don't say so themselves are reranked."""
    rerank_model: RerankModel | None = None
    """By which model, such as one that was tuned for it; null means the default one."""
    abstain: Abstain | None = None
    """Who decides, for answers that don't say so themselves, that its documents hold none; null: as the key says."""
    delete_records: bool = False
    """Whether records of answers go with a document that they hold passages of, when it is deleted."""


class ModelBinding(Request):
    """Body of `POST …/binding`: text of the first document, by whose language the embedding model is chosen."""

    text: Annotated[str, StringConstraints(max_length=100_000)]


class CollectionChange(Request):
    """Body of `PATCH /v1/collections/{name}`: what is to be otherwise; the rest stays. At least one."""

    description: Annotated[Line, StringConstraints(max_length=2000)] | None = None
    mode: SearchMode | None = None
    """How searches look that don't say so themselves; a sweep says which is best for the collection."""
    rerank: bool | None = None
    """Whether searches that don't say so themselves are reranked; switch it on where `groundwork eval` shows a gain."""
    delete_records: bool | None = None
    """Whether records of answers go with a document that they hold passages of, when it is deleted."""
    rerank_model: RerankModel | None = None
    """The rerank model; `default` means the default one again."""
    abstain: AbstainOrDefault | None = None
    """Who decides that there is no answer; `default` leaves it to the key again."""

    @model_validator(mode="after")
    def _some_change(self) -> CollectionChange:
        if not self.model_dump(exclude_none=True):
            raise ValueError(f"give at least one of {', '.join(type(self).model_fields)}")
        return self


class ShadowIndex(Reply):
    """A generation that is being built beside the one that serves."""

    generation: Count
    layout: Count
    embedding_model: str
    dimensions: Count
    max_input_tokens: Count
    chunking: Chunking


class IndexState(Reply):
    """The active generation: `green` serves normally, `building` has a shadow generation under way."""

    state: Literal["green", "building"] = "green"
    generation: Count = 1
    layout: Count = 1
    """Generations with the same layout hold the same chunks."""
    shadow: ShadowIndex | None = None
    points: Count | None = None
    """Points that the active generation holds, also those that are not visible yet. Null in lists of collections."""
    indexed_points: Count | None = None
    """How many of them the vector index covers; a search compares the others one by one. Null in lists."""
    indexing: bool = False
    """Whether the vector index is being built; searches go on meanwhile."""


class Collection(Reply):
    """A collection as the API shows it."""

    name: str
    description: str = ""
    embedding_model: str
    """`auto` until the first document has come, by which it is chosen; sizes are the default model's until then."""
    embedding_model_reason: str | None = None
    """Why this one, where nobody named it."""
    dimensions: Count
    """Length of the embedding vectors."""
    max_input_tokens: Count
    """What the embedding model reads; a chunk with its context header is never longer."""
    chunking: Chunking
    language: str = "auto"
    vectors: VectorOptions = VectorOptions()
    mode: SearchMode = "hybrid"
    rerank: bool = False
    rerank_model: str | None = None
    abstain: Abstain | None = None
    delete_records: bool = False
    documents: Count = 0
    chunks: Count = 0
    bytes: Count = 0
    """Sum of the original bytes of the documents."""
    revision: Count = 0
    """Raised by every visible change; a cached answer is valid for one revision only."""
    index: IndexState = IndexState()
    created_at: Timestamp
