"""Which passages a run asks about: from each document in turn, the same for the same seed, and not too many."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from contracts.core.pages import Page
from contracts.documents.documents import Document, DocumentChunk
from lab.evaluations.documents import Documents
from lab.generation.rules import question_of
from lab.generation.spans import Span, spans_of
from lab.questions.likeness import Words, words_of

PASSAGES_PER_QUESTION = 4
"""Chosen for each question that is wanted, since not each comes to one."""
MOST_PASSAGES = 3000
MOST_DOCUMENTS = 5000
"""The newest; older ones are not asked about."""
MOST_CHUNKS = 1000
"""The first of a document."""
MOST_OF_A_DOCUMENT = 200
SPARE = 2
"""Times as many are looked at as are chosen: of those with the same words none is."""
CONTEXT_CHARS = 600
"""Before and after a span, of what it stands in."""
Passage = Mapping[str, Any]
"""The content of a planned row."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Reads a collection's documents one after the other, in an order that the seed gives. `between` is called between
    pages, and may raise."""

    documents: Documents
    token: Callable[[], Awaitable[str]]
    collection: str
    seed: int
    between: Callable[[], None]

    async def passages(self, most: int, after: str, found: int) -> AsyncIterator[tuple[str, list[Passage]]]:
        """Of each document whose place in the order is after this one, with that place, as many as are its share of
        twice the `most`; `found` are there already. What one has too few of, later ones may have more of."""
        order = await self._order(most)
        for at, (place, document) in enumerate(order):
            if place > after and found < most * SPARE:
                share = min(MOST_OF_A_DOCUMENT, -(-(most * SPARE - found) // (len(order) - at)))
                chunks = await self._chunks(document.id)
                some = await asyncio.to_thread(_passages, document, chunks, self.seed, share)
                found += len(some)
                yield place, some

    async def _order(self, most: int) -> list[tuple[str, Document]]:
        found: list[Document] = []
        cursor: str | None = None
        while len(found) < MOST_DOCUMENTS:
            self.between()
            token = await self.token()
            page: Page[Document] = await self.documents.list_documents(token, self.collection, cursor)
            found += page.data
            if (cursor := page.next_cursor) is None:
                break
        return sorted(((_chance(self.seed, one.id), one) for one in found), key=lambda one: one[0])[:most]

    async def _chunks(self, document_id: str) -> list[DocumentChunk]:
        found: list[DocumentChunk] = []
        cursor: str | None = None
        while len(found) < MOST_CHUNKS:
            self.between()
            token = await self.token()
            page = await self.documents.list_chunks(token, self.collection, document_id, cursor)
            found += page.data
            if (cursor := page.next_cursor) is None:
                break
        return found


def _passages(document: Document, chunks: Sequence[DocumentChunk], seed: int, most: int) -> list[Passage]:
    """Of one document: those that a rule can ask about, then those with a number, a day or a name in them."""
    spans: dict[int, tuple[DocumentChunk, Span]] = {}
    for chunk in chunks:
        for span in spans_of(chunk.text):
            spans.setdefault(chunk.start + span.start, (chunk, span))
    chosen = sorted(
        spans.values(),
        key=lambda one: (one[1].key is None and not one[1].row, _chance(seed, f"{document.id} {one[1].text}")),
    )
    passages = [_passage(document, chunk, span) for chunk, span in chosen[:MOST_OF_A_DOCUMENT]]
    with_rule = [one for one in passages if one["by_rule"] is not None]
    without = [one for one in passages if one["by_rule"] is None and not one["is_row"]]
    return [*with_rule, *without][:most]


def _passage(document: Document, chunk: DocumentChunk, span: Span) -> Passage:
    around = chunk.text[max(0, span.start - CONTEXT_CHARS) : span.end + CONTEXT_CHARS]
    by_rule = question_of(span, around)
    return {
        "document_id": document.id,
        "revision": chunk.revision,
        "chunk_id": chunk.chunk_id,
        "title": document.title[:500],
        "source": document.source[:500],
        "start": chunk.start + span.start,
        "end": chunk.start + span.end,
        "text": span.text,
        "heading_path": [heading[:200] for heading in chunk.heading_path[:8]],
        "around": around,
        "key": span.key,
        "is_row": bool(span.row),
        "by_rule": None if by_rule is None else {"question": by_rule.question, "answer": by_rule.answer},
    }


def fair(found: Sequence[tuple[int, str, str]], most: int) -> list[int]:
    """Of passages by their numbers, documents and texts, in turns, and none whose words stand in several places: it
    could not be said which was found. The numbers."""
    by_document: dict[str, list[tuple[int, Words]]] = {}
    for number, document_id, text in found:
        by_document.setdefault(document_id, []).append((number, words_of(text)))
    turns = [one for one in chain.from_iterable(zip_longest(*by_document.values())) if one is not None]
    count = Counter(words for _, words in turns)
    return [number for number, words in turns if count[words] == 1][:most]


def _chance(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
