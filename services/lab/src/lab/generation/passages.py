"""Which passages a run asks about: from each document in turn, the same for the same seed, and not too many."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

from contracts.core.pages import Page
from contracts.documents.documents import Document, DocumentChunk
from lab.generation.documents import Documents
from lab.generation.rules import question_of
from lab.generation.spans import Span, spans_of
from lab.questions.likeness import words_of

PASSAGES_PER_QUESTION = 4
"""Chosen for each question that is wanted, since not each comes to one."""
MOST_PASSAGES = 3000
MOST_DOCUMENTS = 5000
"""The newest; older ones are not asked about."""
MOST_CHUNKS = 1000
"""The first of a document."""
MOST_OF_A_DOCUMENT = 200
CONTEXT_CHARS = 600
"""Before and after a span, of what it stands in."""
Passage = Mapping[str, Any]
"""The content of a planned row."""


async def choose_passages(
    documents: Documents, token: Callable[[], Any], collection: str, count: int, seed: int, between: Callable[[], None]
) -> list[Passage]:
    """So many that `count` questions may come of them. `between` is called between pages, and may raise."""
    most = min(count * PASSAGES_PER_QUESTION, MOST_PASSAGES)
    found: list[Document] = []
    cursor: str | None = None
    while len(found) < MOST_DOCUMENTS:
        between()
        page: Page[Document] = await documents.list_documents(await token(), collection, cursor)
        found += page.data
        if (cursor := page.next_cursor) is None:
            break
    found.sort(key=lambda one: _chance(seed, one.id))
    by_document = []
    for document in found[:most]:
        between()
        chunks = await _chunks(documents, token, collection, document.id, between)
        by_document.append(await asyncio.to_thread(_passages, document, chunks, seed))
    return await asyncio.to_thread(_fair, by_document, most)


async def _chunks(
    documents: Documents, token: Callable[[], Any], collection: str, document_id: str, between: Callable[[], None]
) -> list[DocumentChunk]:
    found: list[DocumentChunk] = []
    cursor: str | None = None
    while len(found) < MOST_CHUNKS:
        between()
        page = await documents.list_chunks(await token(), collection, document_id, cursor)
        found += page.data
        if (cursor := page.next_cursor) is None:
            break
    return found


def _passages(document: Document, chunks: Sequence[DocumentChunk], seed: int) -> list[Passage]:
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
    return [*with_rule, *without]


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


def _fair(by_document: Sequence[Sequence[Passage]], most: int) -> list[Passage]:
    """In turns, and none whose words stand in several places: it could not be said which was found."""
    turns = [one for one in chain.from_iterable(zip_longest(*by_document)) if one is not None]
    count = Counter(words_of(one["text"]) for one in turns)
    return [one for one in turns if count[words_of(one["text"])] == 1][:most]


def _chance(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
