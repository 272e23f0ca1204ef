"""Reindexing: a shadow generation is built beside the one that serves, then takes its place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.core.base import Count, Reply, Request
from contracts.documents.jobs import Job
from contracts.retrieval.collections import Chunking, Language, VectorOptions


class ReindexRequest(Request):
    """Body of `POST /v1/collections/{name}/reindex`: what is to change; what is left out stays as it is."""

    embedding_model: Annotated[str, StringConstraints(min_length=1, max_length=1100)] | None = None
    chunking: Chunking | None = None
    language: Language | None = None
    vectors: VectorOptions | None = None
    switch: bool | None = None
    """False: it does not take the place of the one that serves once it is whole, but stays beside that, is searched by
    those that name its `generation`, and goes when its job is cancelled, or after a day."""


class ReindexAccepted(Reply):
    """The 202 answer: the job that builds the new generation and puts it in the old one's place."""

    job: Job


class ShadowPlan(Reply):
    """What a reindex would make; the retriever refuses what can't be done or would change nothing."""

    embedding_model: str
    recut: bool
    """Whether documents are cut anew from their text, rather than their chunks embedded anew."""


class ShadowRequest(Request):
    """Body of `POST …/shadows`: the same `key` always means the same shadow, so that the call can be repeated."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    wanted: ReindexRequest


class DocumentRevision(Reply):
    """One revision of one document."""

    document_id: str
    revision: Count


class Shadow(Reply):
    """A generation that a reindex made. `gone` is one that was abandoned; it can't be built further."""

    generation: Count
    state: Literal["building", "active", "gone"]
    recut: bool = False
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    left: Count = 0
    """Documents that are not wholly in it yet."""
    wanted: list[DocumentRevision] = Field(default_factory=list)
    """Documents whose chunks, cut for this generation, it waits for."""
    copied: Count = 0
    """Chunks that this call brought over."""
    embedding_tokens: Count = 0
    """What that cost."""
