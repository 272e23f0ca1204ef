"""The summary of the document that a question names: its most telling sentences, or a connected model's, each cited."""

from __future__ import annotations

from collections.abc import Sequence

from agent.answering.drafting.writer import Writer
from agent.answering.phrases import listed, named, say
from agent.answering.searching.retrieval import find
from agent.answering.state import AnswerState, Begun, Context
from agent.answering.surveys.digest import MOST, digest, write_passages
from agent.answering.surveys.worded_summary import connected_model, word_summary
from agent.answering.verification import finish
from agent.questions.kind import Summary
from agent.questions.question import Question
from agent.text.words import form_set
from contracts.models.chat import AnswerKind
from contracts.retrieval.search import Hit

CANDIDATES = 20
"""Documents among which the one that is meant is looked for."""
ALSO = 3
CONDITIONS = 64
"""The most that a filter can have."""
_PAPER = form_set("document file pdf doc page text")
"""Words that say that a document is meant, not which one."""
_KIND = form_set(
    "policy report manual guide handbook list sheet spreadsheet table paper article notes speech contract agreement"
    " faq csv"
)
"""Words that say what sort of document is meant, which its title may leave out where it has the others."""


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
    first = meant[0]
    found = await digest(
        first.collection, first.document_id, first.title or first.source, kind.sentences, conversation, context
    )
    shown = found.sentences or found.headings
    if not shown:
        return {}
    context.send(Begun(found.read))
    writer = Writer(context.send, context.settings.public_url)
    writer.begin(say(kind.language, "summary" if found.sentences else "contents", title=named(first.title)))
    made: AnswerKind = "extractive"
    model = await connected_model(context) if found.sentences else None
    if model is not None and await word_summary(found.read, kind.sentences or MOST, model, context, writer):
        made = "generated"
    else:
        write_passages(shown, writer)
    others = [f"“{named(hit.title)}”" for hit in meant[1 : 1 + ALSO]]
    if others:
        writer.write(f"\n{say(kind.language, 'also', titles=listed(others, kind.language))}")
    writer.finish()
    return finish({**state, "hits": found.read}, writer, made, True)


def _by_name(kind: Summary, hits: Sequence[Hit]) -> list[Hit]:
    """The documents whose title or name has all words that the question calls it by; the closest ones first."""
    asked = [term.forms for term in Question(kind.name).terms if term.forms.isdisjoint(_PAPER)]
    wanted = [forms for forms in asked if forms.isdisjoint(_KIND)] or asked
    if not asked:
        return []
    fitting: list[tuple[float, Hit]] = []
    for hit in hits:
        title = form_set(_spaced(hit.title))
        known = title | form_set(_spaced(hit.source)) | form_set(_spaced(hit.document_id))
        if all(not forms.isdisjoint(known) for forms in wanted):
            in_title = sum(not forms.isdisjoint(title) for forms in asked)
            fitting.append((in_title / max(1, len(title)), hit))
    return [hit for _, hit in sorted(fitting, key=lambda each: -each[0])]


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace(".", " ").replace("/", " ").replace("-", " ")
