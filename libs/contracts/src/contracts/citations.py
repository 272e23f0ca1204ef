"""Citations: which span of which source supports which marker of the answer."""

from __future__ import annotations

from typing import Literal

from contracts.base import Count, Reply


class Annotation(Reply):
    """One citation marker. `quote` is exactly the characters `start..end` of the document's text of `revision`."""

    type: Literal["file_citation"] = "file_citation"
    index: Count
    """Offset of the marker in the message's content, in code points."""
    marker: str
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
    supported: bool = True
