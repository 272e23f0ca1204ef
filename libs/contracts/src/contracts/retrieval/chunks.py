"""What ingest sends to the retriever: a revision's chunks in batches, then a commit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from contracts.core.base import Count, Reply, Request
from contracts.documents.documents import Metadata


class ChunkInput(Request):
    """One chunk. `text` is exactly the characters `start..end` of the revision's extracted text.

    `header` (title and heading path) is embedded and indexed before the text, but is not part of the span.
    """

    ordinal: Count
    text: Annotated[str, StringConstraints(min_length=1)]
    start: Count
    end: Count
    page: Count | None = None
    heading_path: list[str] = Field(default_factory=list)
    header: str = ""
    embedding: str | None = None
    """What `GET …/embeddings` gave out for it. Only the retriever reads it, and makes anew what it can't use."""

    @model_validator(mode="after")
    def _span_fits_text(self) -> ChunkInput:
        if self.end - self.start != len(self.text):
            raise ValueError("end - start must equal the length of text in code points")
        return self


class DocumentFacts(Request):
    """What each point carries of its document, for filters and for showing a hit."""

    title: str
    source: str
    media_type: str
    metadata: Metadata = Field(default_factory=dict)


class ChunkBatch(Request):
    """Body of `PUT …/revisions/{n}/chunks`. Sending the same batch again changes nothing."""

    document: DocumentFacts
    chunks: Annotated[list[ChunkInput], Field(min_length=1, max_length=512)]


class ChunkEmbeddings(Reply):
    """Embeddings of the active revision's chunks, from the ordinal `first` on, to put them back later."""

    revision: Count
    first: Count
    embeddings: list[str]
    """One value a chunk, that only the retriever reads."""


class CommitRequest(Request):
    """Body of `POST …/revisions/{n}/commit`: how many chunks the revision has; 409 if some are missing."""

    document: DocumentFacts
    chunks: Count


class Committed(Reply):
    """The revision is active, and what earlier ones left is gone."""

    chunks: Count
    stale_deleted: Count
    collection_revision: Count


class BatchIndexed(Reply):
    """How a batch's vectors came about: `embedded` by a model call, `reused` from an earlier revision."""

    embedded: Count
    reused: Count
    embedding_tokens: Count = 0
    committed: Committed | None = None
    """Where the call asked for the revision to be committed with it (`?commit=`) and it was; else commit it anew."""
