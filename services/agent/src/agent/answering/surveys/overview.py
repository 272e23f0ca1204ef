"""What a collection holds, for who greets or asks what can be asked, with questions that it does answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice

import structlog

from agent.answering.drafting.writer import Writer
from agent.answering.judgement import judge
from agent.answering.phrases import called, listed, named, say, where
from agent.answering.searching.retrieval import find
from agent.answering.state import AnswerState, Begun, Context
from agent.answering.verification import finish
from agent.grounding.citations import Support
from agent.grounding.extraction import extract
from agent.questions.condensation import condense
from agent.questions.kind import Language, Overview
from agent.questions.kinds import read_kind
from agent.relevance.passages import passages, plain
from contracts.retrieval.search import Hit
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
SHOWN = 12
"""The most titles that are named."""
EXAMPLES = 3
TRIED = 6
"""So many questions are tried to find those that are answered."""
TRY_SECONDS = 20.0
"""And for at most so long, where models are slow; then there are fewer examples."""
MAX_HEADING = 70
"""Characters; what is longer is rather a sentence."""


async def describe_collections(kind: Overview, state: AnswerState, context: Context) -> AnswerState:
    """Say what there is, and what can be asked of it; who gives thanks or goes knows that already."""
    if kind.manner in ("thanks", "farewell"):
        return _answer_in_kind(kind, state, context)
    conversation = state["conversation"]
    count = await _count(conversation.collections, context)
    query = " ".join(conversation.collections).replace("-", " ").replace("_", " ")
    hits: list[Hit] = []
    if count:
        limit = SHOWN if conversation.options.filter else min(SHOWN, count)
        hits = await find(
            conversation, query, context, limit=limit, group_by="document", mode="hybrid", rerank=False, neighbours=0
        )
    examples = await _examples(hits, kind.language, state, context) if hits else []
    context.send(Begun(hits))
    writer = Writer(context.send, context.settings.public_url)
    place = where(conversation.collections, kind.language)
    writer.write(say(kind.language, kind.manner))
    if not hits:
        writer.write(say(kind.language, "empty", where=place))
        writer.finish()
        return finish({**state, "hits": []}, writer, "abstained", False)
    writer.write(say(kind.language, "purpose", where=place))
    writer.write(_holdings(hits, count, kind.language, filtered=conversation.options.filter is not None))
    if examples:
        writer.write(f"\n\n{say(kind.language, 'examples')}")
    for question, support in examples:
        writer.write_cited(f"- {question}", "\n", support)
    writer.finish()
    return finish({**state, "hits": hits}, writer, "extractive", bool(examples))


def _answer_in_kind(kind: Overview, state: AnswerState, context: Context) -> AnswerState:
    context.send(Begun())
    writer = Writer(context.send, context.settings.public_url)
    writer.write(say(kind.language, kind.manner))
    writer.finish()
    return finish({**state, "hits": []}, writer, "extractive", False)


async def _count(collections: Sequence[str], context: Context) -> int:
    held = await asyncio.gather(*(context.library.collection(name, context.token) for name in collections))
    return sum(collection.documents for collection in held)


def _holdings(hits: Sequence[Hit], count: int, language: Language, *, filtered: bool) -> str:
    titles = sorted(dict.fromkeys(called(hit.title) for hit in hits), key=str.casefold)
    if filtered:
        return say(language, "filtered", titles=listed(titles, language))
    phrase = "one" if count == 1 else "all" if count <= len(titles) else "some"
    return say(language, phrase, count=count, titles=listed(titles, language))


async def _examples(
    hits: Sequence[Hit], language: Language, state: AnswerState, context: Context
) -> list[tuple[str, Support]]:
    """Questions that are answered when they are asked, each with what answers it; of different documents."""
    found: dict[tuple[str, str], tuple[str, Support]] = {}
    try:
        async with asyncio.timeout(TRY_SECONDS):
            for question, hit in islice(_candidates(hits, language), TRIED):
                if len(found) >= EXAMPLES:
                    break
                if (hit.collection, hit.document_id) in found:
                    continue
                support = await _answered(question, hit, state, context)
                if support is not None:
                    found[hit.collection, hit.document_id] = question, support
    except (ServiceError, TimeoutError) as error:  # who greets is greeted, whatever can't be searched now
        log.info("few examples", found=len(found), why=repr(error)[:200])
    return list(found.values())


def _candidates(hits: Sequence[Hit], language: Language) -> Iterator[tuple[str, Hit]]:
    """Questions from headings: first those that are questions themselves."""
    headed = [(heading, hit) for hit in hits for heading in [_heading(hit)] if heading]
    yield from ((heading, hit) for heading, hit in headed if heading.endswith("?"))
    for heading, hit in headed:
        if not heading.endswith("?"):
            yield say(language, "about heading", title=called(hit.title), heading=_inside(heading)), hit


def _heading(hit: Hit) -> str:
    """The nearest heading of a chunk that is not its document's title."""
    own = [one.text for one in passages([hit]) if one.unit.kind == "question"]
    for heading in map(plain, [*own, *reversed(hit.heading_path)]):
        shown = named(heading).lstrip("0123456789. ")
        if 3 < len(shown) <= MAX_HEADING and shown.casefold() != named(hit.title).casefold():
            return shown
    return ""


def _inside(heading: str) -> str:
    """A heading within a sentence: its first word small, unless it is a name or an abbreviation."""
    first, _, rest = heading.partition(" ")
    later = [word for word in rest.split() if word[0].isupper()]
    return heading if not first.istitle() or later else f"{first.lower()} {rest}".rstrip()


async def _answered(question: str, hit: Hit, state: AnswerState, context: Context) -> Support | None:
    """What answers a question when it is asked; None if nothing does, or another document."""
    if read_kind(question) is not None:
        return None
    standalone = condense(question, ())
    hits = await find(state["conversation"], standalone, context)
    judged = await judge({**state, "standalone": standalone, "hits": hits}, context)
    if judged["abstain"]:
        return None
    evidence = judged["evidence"]
    pieces = extract(evidence)
    own = [piece.support for piece in pieces if piece.support.hit.document_id == hit.document_id]
    return own[0] if own and own[0] is pieces[0].support else None
