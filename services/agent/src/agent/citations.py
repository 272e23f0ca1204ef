"""Citations: numbered sources, and annotations whose quote is exactly the characters of its span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.sentences import Span
from contracts.chat import Source
from contracts.citations import Annotation
from contracts.search import Hit


@dataclass(frozen=True, slots=True)
class Support:
    """The span of a hit that supports a sentence; `span` indexes the hit's text, `score` is 0 to 1."""

    hit: Hit
    span: Span
    score: float


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
        hit, (begin, end) = support.hit, support.span
        annotation = Annotation(
            index=index,
            marker=self.marker(support),
            collection=hit.collection,
            document_id=hit.document_id,
            revision=hit.revision,
            chunk_id=hit.chunk_id,
            title=hit.title,
            source=hit.source,
            page=hit.page,
            quote=hit.text[begin:end],
            start=hit.start + begin,
            end=hit.start + end,
            score=round(min(1.0, max(0.0, support.score)), 4),
        )
        self.annotations.append(annotation)
        return annotation

    def sources(self, hits: Sequence[Hit]) -> list[Source]:
        """All hits as numbered sources: the cited ones under their numbers, then the rest in rank order."""
        numbers = dict(self._numbers)
        for hit in hits:
            numbers.setdefault((hit.collection, hit.chunk_id), len(numbers) + 1)
        listed = [_source(hit, numbers[hit.collection, hit.chunk_id]) for hit in hits]
        return sorted(listed, key=lambda source: source.number)


def _source(hit: Hit, number: int) -> Source:
    return Source(
        number=number,
        collection=hit.collection,
        document_id=hit.document_id,
        revision=hit.revision,
        chunk_id=hit.chunk_id,
        title=hit.title,
        source=hit.source,
        page=hit.page,
        text=hit.text,
        start=hit.start,
        end=hit.end,
        score=hit.score,
    )
