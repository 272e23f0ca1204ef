"""Citations: numbered sources, and annotations whose quote is exactly the characters of its span."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from agent.relevance.passages import Passage
from agent.sanitisation.invisible import visible
from agent.sanitisation.sanitiser import label
from agent.text.sentences import Span
from contracts.models.chat import Source
from contracts.models.citations import Annotation, Cited, FieldCitation, UrlCitation
from contracts.retrieval.search import Hit

_ADDRESS = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Support:
    """The span of a hit that supports a sentence; `span` indexes the hit's text, `score` is 0 to 1."""

    hit: Hit
    span: Span
    score: float
    against: Passage | None = None
    """Of another source, what contradicts the sentence."""


def is_exact(hit: Hit) -> bool:
    """Whether a hit's offsets fit its text; one that does not can't be cited."""
    return hit.end - hit.start == len(hit.text)


def can_cite(support: Support) -> bool:
    """Whether the quote of a span will be exactly the characters of the document that its offsets name."""
    begin, end = support.span
    inside = 0 <= begin < end <= len(support.hit.text)
    return inside and is_exact(support.hit) and bool(support.hit.text[begin:end].strip())


@dataclass(slots=True)
class Citations:
    """The citations of one answer. Sources are numbered from 1 in the order in which they are first cited."""

    public_url: str = ""
    """Where callers reach the gateway; without it, links begin at its root."""
    annotations: list[Annotation] = field(default_factory=list)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def marker(self, support: Support) -> str:
        """The marker for a source, which keeps its number through the answer."""
        key = (support.hit.collection, support.hit.chunk_id)
        return f"[{self._numbers.setdefault(key, len(self._numbers) + 1)}]"

    def add(self, support: Support, index: int) -> Annotation | None:
        """Cite at this offset of the content; None, and nothing cited, if the quote would not be exact."""
        if not can_cite(support):
            return None
        marker, cited = self.marker(support), _cited(support)
        annotation = Annotation(
            url_citation=UrlCitation(
                start_index=index, end_index=index + len(marker), url=self._url(support.hit), title=cited.title
            ),
            index=index,
            marker=marker,
            **cited.model_dump(),
        )
        self.annotations.append(annotation)
        return annotation

    def of_field(self, support: Support) -> FieldCitation:
        """The same of a value of a form, which has no marker."""
        return FieldCitation(url=self._url(support.hit), **_cited(support).model_dump())

    def _url(self, hit: Hit) -> str:
        """Of the document, not of the span: clients count sources by their addresses."""
        if _ADDRESS.fullmatch(hit.source):
            return hit.source
        document = f"/v1/collections/{quote(hit.collection)}/documents/{quote(hit.document_id)}/content"
        return self.public_url.rstrip("/") + document

    def sources(self, hits: Sequence[Hit]) -> list[Source]:
        """All hits as numbered sources: the cited ones under their numbers, then the rest in rank order."""
        numbers = dict(self._numbers)
        for hit in hits:
            numbers.setdefault((hit.collection, hit.chunk_id), len(numbers) + 1)
        listed = [_source(hit, numbers[hit.collection, hit.chunk_id]) for hit in hits]
        return sorted(listed, key=lambda source: source.number)


def _cited(support: Support) -> Cited:
    hit, (begin, end) = support.hit, support.span
    return Cited(
        **_chunk_fields(hit),
        quote=hit.text[begin:end],
        start=hit.start + begin,
        end=hit.start + end,
        score=round(min(1.0, max(0.0, support.score)), 4),
    )


def _chunk_fields(hit: Hit) -> dict[str, Any]:
    """What citations and sources both say of the chunk, with nothing live in it."""
    return {
        "collection": hit.collection,
        "document_id": hit.document_id,
        "revision": hit.revision,
        "chunk_id": hit.chunk_id,
        "title": label(hit.title),
        "source": visible(hit.source),
        "page": hit.page,
    }


def _source(hit: Hit, number: int) -> Source:
    return Source(
        number=number,
        **_chunk_fields(hit),
        text=hit.text,
        start=hit.start,
        end=hit.end,
        score=hit.score,
    )
