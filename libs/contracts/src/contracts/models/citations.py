"""Citations: which span of which source supports which marker of the answer."""

from __future__ import annotations

from typing import Literal

from contracts.core.base import Count, Reply


class UrlCitation(Reply):
    """The marker as OpenAI's typed clients read it: its span of the message's content, and where its source is."""

    start_index: Count
    end_index: Count
    url: str
    """The document's own address where it was ingested by URL, else where Groundwork gives its bytes, at the address
    that the caller used. The same for every citation of a document."""
    title: str


class Cited(Reply):
    """A span of a source. `quote` is exactly the characters `start..end` of the document's text of `revision`."""

    collection: str
    document_id: str
    revision: Count
    chunk_id: str
    title: str
    source: str
    page: Count | None = None
    quote: str
    start: Count
    end: Count
    score: float


class Annotation(Cited):
    """One citation marker of an answer's text."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation
    index: Count
    """Offset of the marker in the message's content, in code points."""
    marker: str
    supported: bool = True


class FieldCitation(Cited):
    """What supports one value of an answer that fills in a schema."""

    url: str
