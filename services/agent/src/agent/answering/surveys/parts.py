"""Several questions in one, and comparisons: each part retrieved, judged and answered by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.answering.drafting.generation import answer
from agent.answering.drafting.writer import Writer
from agent.answering.phrases import named, say
from agent.answering.searching.retrieval import find
from agent.answering.searching.whole_lists import judge_whole
from agent.answering.state import AnswerState, Begun, Context, Event, is_refused
from agent.answering.verification import finish, write_answer
from agent.questions.kind import Parts
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from contracts.models.chat import AnswerKind
from contracts.retrieval.search import Hit

NO_MODEL = frozenset(("model_timeout", "model_unavailable"))
LOOKED_AT = 3
"""So many of the best passages say whether a thing is there at all, or a comparison made by one of them."""
_COMPARES = re.compile(
    r"\b(?:than|whereas|while|unlike|both|differ\w*|compared|instead|als|während|hingegen|anders|gegensatz|unterschied\w*)\b",
    re.IGNORECASE,
)


async def answer_parts(kind: Parts, state: AnswerState, context: Context) -> AnswerState:
    """The answers under the parts' own words; nothing where no part has one, or one passage has the comparison."""
    parts = [await _judged(asked, state, context) for asked in kind.asked]
    if kind.compares:
        for thing, part in zip(kind.labels, parts, strict=True):
            part["abstain"] = part["abstain"] or not is_named(thing, part["evidence"])
    if all(part["abstain"] for part in parts):
        return {}
    if kind.compares and await _is_compared(kind, state, context):
        return {}
    hits = _all_hits(parts)
    context.send(Begun(hits))
    before = context.receipt.tokens.completion
    writer = Writer(context.send, context.settings.public_url)
    kinds: list[tuple[AnswerKind, bool]] = []
    for label, part in zip(kind.labels, parts, strict=True):
        writer.begin(f"{named(label)}{':' if kind.compares else '?'}")
        if not is_refused(part):
            spent = context.receipt.tokens.completion - before
            kinds.append(await _write_part(part, _for_a_part(context, spent), writer))
        if writer.empty:
            writer.write(say(kind.language, "no part"))
    writer.finish()
    answered = [made for made, _ in kinds if made != "abstained"]
    made: AnswerKind = "generated" if "generated" in answered else "extractive" if answered else "abstained"
    grounded = bool(answered) and all(grounded for made, grounded in kinds if made != "abstained")
    return finish({**state, "hits": hits, "decides": parts[0]["decides"]}, writer, made, grounded)


async def _judged(asked: str, state: AnswerState, context: Context) -> AnswerState:
    hits = await find(state["conversation"], asked, context)
    part: AnswerState = {**state, "standalone": asked, "hits": hits}
    return {**part, **await judge_whole(part, context)}


async def _write_part(part: AnswerState, context: Context, writer: Writer) -> tuple[AnswerKind, bool]:
    """The answer to one part; its passages at once where the model has failed or the caller's tokens are spent: time
    and tokens are those of all parts."""
    if context.max_tokens != 0 and NO_MODEL.isdisjoint(context.receipt.degraded):
        drafted = await answer(part, context)
    else:
        drafted = {"draft": None, "grounding": part["conversation"].options.grounding or "strict"}
    return await write_answer({**part, **drafted}, context, writer)


async def _is_compared(kind: Parts, state: AnswerState, context: Context) -> bool:
    """Whether a passage speaks of both things: then it is the better answer."""
    whole = await _judged(state["standalone"], state, context)
    return not whole["abstain"] and speaks_of_all(kind.labels, whole["evidence"])


def speaks_of_all(things: Sequence[str], evidence: Evidence) -> bool:
    """Whether one of the best passages names all these things and says how they differ."""
    wanted = [term.forms for thing in things for term in Question(thing).focus]
    return any(
        all(not forms.isdisjoint(one.passage.forms) for forms in wanted) and _COMPARES.search(one.passage.text)
        for one in evidence.ranked[:LOOKED_AT]
        if one.passage.unit.kind in ("sentence", "item")
    )


def is_named(thing: str, evidence: Evidence) -> bool:
    """Whether one of the best passages has all words of a thing, in itself, its headings or its title."""
    wanted = [term.forms for term in Question(thing).focus]
    return any(
        all(not forms.isdisjoint(one.passage.near_forms) for forms in wanted) for one in evidence.ranked[:LOOKED_AT]
    )


def _for_a_part(context: Context, spent: int) -> Context:
    """For the next part, with what the parts before have left of the caller's `max_tokens`."""
    left = None if context.max_tokens is None else max(0, context.max_tokens - spent)
    return replace(context, send=_without_beginnings(context.send), max_tokens=left)


def _without_beginnings(send: Callable[[Event], None]) -> Callable[[Event], None]:
    """An answer begins once, however many parts it has."""

    def forward(event: Event) -> None:
        if not isinstance(event, Begun):
            send(event)

    return forward


def _all_hits(parts: Sequence[AnswerState]) -> list[Hit]:
    found = {(hit.collection, hit.chunk_id): hit for part in parts for hit in part["hits"]}
    return list(found.values())
