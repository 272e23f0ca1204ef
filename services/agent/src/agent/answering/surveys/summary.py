"""The summary of one document: its most telling sentences, each cited, in reading order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.answering.judgement import compare
from agent.answering.retrieval import find
from agent.answering.state import AnswerState, Begun, Context
from agent.answering.surveys.centrality import choose, tells
from agent.answering.surveys.phrases import listed, named, say
from agent.answering.verification import finish
from agent.answering.writer import Writer
from agent.grounding.citations import Support
from agent.questions.conversation import Conversation
from agent.questions.kind import Summary
from agent.questions.question import Question
from agent.relevance.passages import Passage, passages, readable
from agent.sanitisation.sanitiser import sanitise
from agent.text.words import form_set
from contracts.retrieval.search import Condition, Filter, Hit

CANDIDATES = 20
"""Documents among which the one that is meant is looked for."""
PAGE, PAGES = 100, 4
"""Chunks of a document that are read: the most that one search gives, and so many times."""
COMPARED = 96
"""Sentences that are embedded for one summary; of longer documents the first ones of paragraphs."""
LEAST, MOST = 3, 6
"""Sentences of a summary whose length nobody asked for: one for every eight of the document, between these."""
ALSO = 3
CONDITIONS = 64
"""The most that a filter can have."""
_PAPER = form_set("document file pdf doc page text")
"""Words that say that a document is meant, not which one."""


async def summarise(kind: Summary, state: AnswerState, context: Context) -> AnswerState:
    """The summary of the document whose title or name has all words of the question; nothing if there is none."""
    conversation = state["conversation"]
    conditions = conversation.options.filter.must if conversation.options.filter else []
    if len(conditions) >= CONDITIONS:
        return {}
    hits = await find(
        conversation,
        kind.name,
        context,
        limit=CANDIDATES,
        group_by="document",
        mode="hybrid",
        rerank=False,
        neighbours=0,
    )
    meant = _by_name(kind, hits)
    if not meant:
        return {}
    chosen, read = await _sentences_of(meant[0], kind.sentences, conversation, context)
    phrase = "summary" if chosen else "contents"
    chosen = chosen or _headings(read)
    if not chosen:
        return {}
    context.send(Begun())
    writer = Writer(context.send, context.settings.public_url)
    writer.write(say(kind.language, phrase, title=named(meant[0].title)))
    for passage in chosen:
        writer.write_cited(f"- {sanitise(readable(passage))}", "\n", Support(passage.hit, passage.span, 1.0))
    others = [f"“{named(hit.title)}”" for hit in meant[1 : 1 + ALSO]]
    if others:
        writer.write(f"\n{say(kind.language, 'also', titles=listed(others, kind.language))}")
    writer.finish()
    return finish({**state, "hits": read}, writer, "extractive", True)


async def _sentences_of(
    one: Hit, count: int | None, conversation: Conversation, context: Context
) -> tuple[list[Passage], list[Hit]]:
    """The sentences that say most of a hit's document, and all its chunks that were read, in order."""
    read = await _read(one, conversation, context)
    found = _distinct([passage for passage in passages(read) if tells(passage)])
    if len(found) > COMPARED:
        kept = set(map(id, sorted(found, key=lambda passage: passage.before != "")[:COMPARED]))
        found = [passage for passage in found if id(passage) in kept]
    wanted = count or min(MOST, max(LEAST, math.ceil(len(found) / 8)))
    if not found:
        return [], read
    vectors = await compare(context, [one.title, *(passage.embedded_text for passage in found)])
    return choose(found, vectors[1:] if vectors else None, vectors[0] if vectors else None, wanted), read


def _by_name(kind: Summary, hits: Sequence[Hit]) -> list[Hit]:
    """The documents whose title or name has all words that the question calls it by; the closest ones first."""
    wanted = [term.forms for term in Question(kind.name).terms if term.forms.isdisjoint(_PAPER)]
    if not wanted:
        return []
    fitting: list[tuple[float, Hit]] = []
    for hit in hits:
        title = form_set(_spaced(hit.title))
        known = title | form_set(_spaced(hit.source)) | form_set(_spaced(hit.document_id))
        if all(not forms.isdisjoint(known) for forms in wanted):
            in_title = sum(not forms.isdisjoint(title) for forms in wanted)
            fitting.append((in_title / max(1, len(title)), hit))
    return [hit for _, hit in sorted(fitting, key=lambda each: -each[0])]


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace(".", " ").replace("/", " ").replace("-", " ")


async def _read(one: Hit, conversation: Conversation, context: Context) -> list[Hit]:
    """The chunks of a document, by searches: so they pass guardrails, and the caller's filter holds for them."""
    given = conversation.options.filter or Filter()
    only = Condition(key="document_id", match=one.document_id)
    where = given.model_copy(update={"must": [*given.must, only]})
    found: list[Hit] = []
    for page in range(PAGES):
        more = await find(
            conversation,
            one.title or one.source,
            context,
            collections=[one.collection],
            filter=where,
            limit=PAGE,
            offset=page * PAGE,
            mode="hybrid",
            rerank=False,
            neighbours=0,
        )
        found += [hit for hit in more if hit.revision == one.revision]
        if len(more) < PAGE:
            break
    return sorted(found, key=lambda hit: hit.start)


def _distinct(found: Sequence[Passage]) -> list[Passage]:
    """Without what stands there several times, as a page's header does."""
    times: dict[frozenset[str], int] = {}
    for passage in found:
        times[passage.forms] = times.get(passage.forms, 0) + 1
    return [passage for passage in found if times[passage.forms] == 1]


def _headings(read: Sequence[Hit]) -> list[Passage]:
    """The headings of a document that has no sentences."""
    found = [passage for passage in passages(read) if passage.unit.kind == "heading"]
    titles = [passage for passage in found if read and passage.forms != form_set(read[0].title)]
    return _distinct(titles)[: 2 * MOST]
