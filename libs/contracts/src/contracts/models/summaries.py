"""The summary of a document: `POST /v1/collections/{name}/documents/{id}/summary`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.core.base import Count, Reply, Request
from contracts.models.chat import AnswerKind, ChatUsage
from contracts.models.citations import Annotation


class SummaryRequest(Request):
    """How a document is to be summed up; `{}` leaves all to the service."""

    sentences: Annotated[int, Field(ge=1, le=12)] | None = None
    """How many sentences; without it three to six, by the document's length."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A chat model that words it, for keys with the scope `chat`; without it, and where the model says nothing that the
    document supports, these are the document's own sentences."""


class DocumentSummary(Reply):
    """A document in short. `annotations` cite where in it each sentence stands."""

    collection: str
    document_id: str
    revision: Count
    """The revision that was read."""
    title: str
    content: str
    """One sentence a line, each with its marker."""
    annotations: list[Annotation]
    answer_kind: AnswerKind = "extractive"
    """`generated` in a model's words, `extractive` in the document's own."""
    chunks: Count
    """How many chunks were read: the first ones of a very long document."""
    degraded: list[str] = Field(default_factory=list)
    """What it had to do without."""
    model: str | None = None
    """The model that worded it."""
    usage: ChatUsage
