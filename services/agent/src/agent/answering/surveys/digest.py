"""What a summary of one document is made of: all its chunks, and of them the sentences that say most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.answering.drafting.writer import Writer
from agent.answering.judgement import compare
from agent.answering.searching.documents import read_document
from agent.answering.state import Context
from agent.answering.surveys.centrality import choose, tells
from agent.grounding.citations import Support
from agent.questions.conversation import Conversation
from agent.relevance.passages import Passage, passages, readable
from agent.sanitisation.sanitiser import sanitise
from agent.text.words import form_set
from contracts.retrieval.search import Hit

COMPARED = 96
"""Sentences that are embedded for one summary; of longer documents the first ones of paragraphs."""
LEAST, MOST = 3, 6
"""Sentences of a summary whose length nobody asked for: one for every eight of the document, between these."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The sentences that say most of a document, in reading order, and all its chunks that were read."""

    sentences: list[Passage]
    read: list[Hit]

    @property
    def headings(self) -> list[Passage]:
        """What stands for a document that has no sentences: its headings, else what it begins with."""
        found = passages(self.read)
        titles = [one for one in found if one.unit.kind == "heading" and one.forms != form_set(self.read[0].title)]
        return (_distinct(titles) or found)[: 2 * MOST]


async def digest(
    collection: str, document_id: str, query: str, count: int | None, conversation: Conversation, context: Context
) -> Digest:
    """Read a document and choose `count` of its sentences; nothing is read where there is no such document."""
    read = await read_document(collection, document_id, query, conversation, context)
    found = _distinct([passage for passage in passages(read) if tells(passage)])
    if len(found) > COMPARED:
        kept = set(map(id, sorted(found, key=lambda passage: passage.before != "")[:COMPARED]))
        found = [passage for passage in found if id(passage) in kept]
    if not found:
        return Digest([], read)
    wanted = count or min(MOST, max(LEAST, math.ceil(len(found) / 8)))
    context.comparison.choose(read[0].title, read[0].text)
    vectors = await compare(context, [read[0].title, *(passage.embedded_text for passage in found)])
    rest, title = (vectors[1:], vectors[0]) if vectors else (None, None)
    return Digest(choose(found, rest, title, wanted, context.comparison.unrelated), read)


def write_passages(chosen: Sequence[Passage], writer: Writer) -> None:
    """Each on a line of its own, with its citation."""
    for passage in chosen:
        writer.write_cited(f"- {sanitise(readable(passage))}", "\n", Support(passage.hit, passage.span, 1.0))


def _distinct(found: Sequence[Passage]) -> list[Passage]:
    """Without what stands there several times, as a page's header does."""
    times: dict[frozenset[str], int] = {}
    for passage in found:
        times[passage.forms] = times.get(passage.forms, 0) + 1
    return [passage for passage in found if times[passage.forms] == 1]
