"""Documents as the API shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, StringConstraints, model_validator

from contracts.core.base import Count, DocumentId, Name, Reply, Request, Timestamp, Title
from contracts.core.values import Text, check_value

DocumentStatus = Literal["queued", "processing", "ready", "failed", "cancelled", "deleting"]


def _can_be_kept(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    check_value(metadata)
    return metadata


Metadata = Annotated[dict[str, JsonValue], AfterValidator(_can_be_kept)]
"""A caller's own fields; filters reach them as `metadata.<key>`."""


class DocumentCreate(Request):
    """JSON body of `POST …/documents`: the text itself, or a URL to fetch."""

    text: Annotated[Text, StringConstraints(min_length=1)] | None = None
    url: Annotated[Text, StringConstraints(max_length=2000)] | None = None
    title: Title | None = None
    metadata: Metadata = Field(default_factory=dict)
    document_id: DocumentId | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DocumentCreate:
        if (self.text is None) == (self.url is None):
            raise ValueError("give exactly one of text and url")
        return self


class Failure(Reply):
    """Why a document or job failed. `retryable` says whether the same input may succeed later."""

    code: str
    message: str
    retryable: bool = False


class Document(Reply):
    """One document. `revision` is the newest one; `chunks` counts the active revision's."""

    id: str
    collection: str
    title: str
    source: str
    """File name, URL, or `text`."""
    media_type: str
    bytes: Count
    sha256: str
    revision: Count
    status: DocumentStatus
    pages: Count | None = None
    unread_pages: list[int] = Field(default_factory=list)
    """Pages, from 1, that are pictures of text and were not read, since text recognition is not installed."""
    chunks: Count = 0
    metadata: dict[str, Any] = Field(default_factory=dict)
    error: Failure | None = None
    created_at: Timestamp
    updated_at: Timestamp


class DocumentRevision(Reply):
    """One revision of a document that is retained, for `GET …/revisions`."""

    revision: Count
    active: bool
    """Whether searches find this one."""
    title: str
    source: str
    media_type: str
    bytes: Count
    sha256: str
    pages: Count | None = None
    chunks: Count | None = None
    """Null until it is cut."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    created_at: Timestamp


class DocumentChunk(Reply):
    """One chunk of the active revision, for `GET …/chunks`. `start..end` index `/text` in code points."""

    chunk_id: str
    ordinal: Count
    revision: Count
    text: str
    start: Count
    end: Count
    page: Count | None = None
    heading_path: list[str] = Field(default_factory=list)
    header: str = ""
    """What is embedded before the text, on a line of its own: where it stands in the document."""


class DeletedDocument(Request):
    """Body of the lab's internal `POST /v1/documents/deleted`."""

    collection: Name
    document_id: DocumentId | None = None
    """Null for all of the collection."""
    deleted_at: AwareDatetime | None = None
    """What was begun well after it was made of another document of this id. Null means now."""
