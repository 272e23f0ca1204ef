"""Which documents are about a topic, each with the passage that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from agent.answering.drafting.writer import Writer
from agent.answering.judgement import compare, first_ranking, unknown_words
from agent.answering.phrases import called, named, say, where
from agent.answering.searching.retrieval import find
from agent.answering.state import AnswerState, Begun, Context
from agent.answering.verification import finish
from agent.grounding.citations import Support
from agent.questions.kind import DocumentList
from agent.questions.question import Question
from agent.relevance.passages import Passage, passages, readable
from agent.relevance.ranking import preselect, term_weights
from agent.relevance.topics import named_and_hinted
from agent.sanitisation.sanitiser import sanitise
from contracts.retrieval.search import Hit

LOOKED_AT = 24
"""Documents."""
LISTED = 10


async def list_documents(kind: DocumentList, state: AnswerState, context: Context) -> AnswerState:
    """The documents in the order of retrieval; nothing where none is about the topic, or where that is no topic."""
    conversation = state["conversation"]
    hits = await find(conversation, kind.topic, context, limit=LOOKED_AT, group_by="document", neighbours=0)
    fitting = await find_fitting(Question(kind.topic), hits, context)
    if not fitting:
        return {}
    context.send(Begun(hits))
    writer = Writer(context.send, context.settings.public_url)
    phrase = "document" if len(fitting) == 1 else "documents" if len(fitting) <= LISTED else "documents, some"
    place = where(conversation.collections, kind.language)
    writer.write(say(kind.language, phrase, where=place, topic=named(kind.topic)))
    for passage in fitting[:LISTED]:
        shown = f"- {_place(passage)}: {sanitise(readable(passage))}"
        writer.write_cited(shown, "\n", Support(passage.hit, passage.span, 1.0))
    writer.finish()
    return finish({**state, "hits": hits}, writer, "extractive", True)


async def find_fitting(topic: Question, hits: Sequence[Hit], context: Context) -> list[Passage]:
    """For each document about the topic the passage that shows it best, in the order of the hits."""
    if not hits:
        return []
    each = max(1, context.settings.compared_passages // len(hits))
    found = [passage for passage in passages(hits, context.columns) if passage.unit.kind not in ("heading", "question")]
    weights = term_weights(topic.terms, found)
    compared = [
        passage
        for place in range(len(hits))
        for passage in preselect(topic, [one for one in found if one.rank == place], weights, each)
    ]
    context.comparison.choose(topic.text, hits[0].text)
    vectors = await compare(context, [topic.text, *(passage.embedded_text for passage in compared)])
    ranked = first_ranking(topic, compared, vectors, context.comparison.unrelated)
    if vectors is not None and context.comparison.by_words:
        await compare(context, [], unknown_words(topic, ranked, context.lexicon))
    best: dict[tuple[str, str], Passage] = {}
    by_name, hinted = named_and_hinted(topic, ranked, context.lexicon)
    below = sorted(hinted, key=lambda one: one.passage.unit.start)
    for one in (*by_name, *below):  # a heading that names the topic is shown by what stands first below it
        best.setdefault((one.passage.hit.collection, one.passage.hit.document_id), one.passage)
    return sorted(best.values(), key=lambda passage: passage.rank)


def _place(passage: Passage) -> str:
    """The document, and the heading that the passage stands below."""
    title, heading = called(passage.hit.title), named(passage.heading)
    return f"{title}, {heading}" if heading and heading.casefold() != title.casefold() else title
