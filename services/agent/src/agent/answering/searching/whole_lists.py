"""Lists and tables that chunks cut: the column names that stand in another chunk, and the rest of what is asked for
whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import structlog

from agent.answering.judgement import judge
from agent.answering.searching.documents import PAGE, read_document
from agent.answering.searching.retrieval import all_of
from agent.answering.state import AnswerState, Context
from agent.errors import is_policy
from agent.questions.conversation import Conversation
from agent.questions.listing import wants_all, wants_steps
from agent.relevance.lists import is_numbered
from agent.relevance.tables import begins_in_table, columns_of, goes_on
from agent.text.sentences import split
from contracts.retrieval.search import Hit
from servicekit.core.errors import ServiceError

Key = tuple[str, str]
"""A document: its collection and its id."""
log = structlog.get_logger(__name__)
LOOKED_AT = 4
"""Hits whose tables are completed."""
READ = 2
"""Documents that are read for one question."""
ADDED = PAGE
"""Chunks that a list may go on in."""


async def judge_whole(state: AnswerState, context: Context) -> AnswerState:
    """Judge what was found, with the column names of its tables and, for a question that asks for all of a list, the
    chunks that it goes on in."""
    hits, question = state["hits"], state["standalone"]
    whole = wants_all(question) or wants_steps(question)
    firsts: dict[Key, Hit] = {}
    for hit in _cut(hits, context, whole, wants_steps(question)):
        firsts.setdefault(_key(hit), hit)
    cut = [*firsts.values()][:READ]
    found = await all_of(*(_read(hit, question, state["conversation"], context) for hit in cut))
    read = {_key(hit): document for hit, document in zip(cut, found, strict=True)}
    for document in found:
        context.columns.update(columns_of(document))
    if whole and read:
        hits = [*hits, *_rest(hits, read)]
    judged = await judge({**state, "hits": hits}, context)
    return {**judged, "hits": hits, "decides": await context.deciding.by(context.model)}


def _key(hit: Hit) -> Key:
    return hit.collection, hit.document_id


def _cut(hits: Sequence[Hit], context: Context, whole: bool, steps: bool) -> list[Hit]:
    """The first hits that begin in a table whose names are not known, or, where a list is wanted whole, that a list
    goes on before or behind; where steps are, a numbered one."""
    known = columns_of(hits, context.columns)
    first = hits[:LOOKED_AT]
    return [
        hit
        for hit in first
        if (begins_in_table(hit) and hit.chunk_id not in known)
        or (whole and any(_part(hit, end, steps) for end in (0, -1)))
    ]


def _rest(hits: Sequence[Hit], read: dict[Key, list[Hit]]) -> list[Hit]:
    """The chunks that lists of the first hits go on in, before and behind them."""
    had = {hit.chunk_id for hit in hits}
    added: dict[str, Hit] = {}
    for hit in hits[:LOOKED_AT]:
        document = read.get(_key(hit), [])
        place = next((at for at, one in enumerate(document) if one.chunk_id == hit.chunk_id), None)
        if place is None:
            continue
        for chunks in (document[place:], document[place::-1]):
            for one, beside in pairwise(chunks):
                first, second = (one, beside) if one.start < beside.start else (beside, one)
                if not (goes_on(first, second) and _part(first, -1) and _part(second, 0)):
                    break
                added.setdefault(beside.chunk_id, beside)
    return [hit for key, hit in added.items() if key not in had][:ADDED]


def _part(hit: Hit, end: int, numbered: bool = False) -> bool:
    """Whether a chunk begins (0) or ends (-1) with a row, an item, or a table's header; or with a numbered item."""
    units = split(hit.text)
    if not units:
        return False
    unit = units[end]
    if numbered:
        return unit.kind == "item" and is_numbered(hit.text[: unit.start])
    header = unit.kind == "heading" and "|" in hit.text[unit.start : unit.end]
    return unit.kind in ("row", "item") or header


async def _read(hit: Hit, query: str, conversation: Conversation, context: Context) -> list[Hit]:
    """The document of a hit; none where it can't be had."""
    try:
        return await read_document(hit.collection, hit.document_id, query, conversation, context, pages=1)
    except ServiceError as error:
        if is_policy(error):
            raise
        log.warning("list not completed", code=error.code)
        return []
