"""Lists and tables that chunks cut: the column names that stand in another chunk, and the rest of what is asked for
whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import structlog

from agent.answering.judgement import judge
from agent.answering.searching.documents import PAGE, read_document
from agent.answering.state import AnswerState, Context
from agent.errors import is_policy
from agent.questions.conversation import Conversation
from agent.questions.listing import extreme_of, wants_all, wants_steps
from agent.relevance.tables import begins_in_table, columns_of, goes_on
from agent.text.sentences import split
from contracts.retrieval.search import Hit
from servicekit.core.errors import ServiceError

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
    extreme = extreme_of(question) is not None
    whole = extreme or wants_all(question) or wants_steps(question)
    cut = [hit for hit in hits[:LOOKED_AT] if _has_rows(hit)] if extreme else _cut(hits, context, whole)
    read: dict[str, list[Hit]] = {}
    for hit in cut:
        if len(read) < READ and hit.document_id not in read:
            read[hit.document_id] = await _read(hit, question, state["conversation"], context)
    for document in read.values():
        context.columns.update(columns_of(document))
    if whole and read:
        hits = [*hits, *_rest(hits, read)]
    complete = frozenset(key for key, document in read.items() if extreme and 0 < len(document) < PAGE)
    return {**await judge({**state, "hits": hits, "whole": complete}, context), "hits": hits}


def _cut(hits: Sequence[Hit], context: Context, whole: bool) -> list[Hit]:
    """The first hits that begin in a table whose names are not known, or, where a list is wanted whole, that a list
    goes on before or behind."""
    known = columns_of(hits, context.columns)
    first = hits[:LOOKED_AT]
    return [
        hit
        for hit in first
        if (begins_in_table(hit) and hit.chunk_id not in known) or (whole and (_part(hit, 0) or _part(hit, -1)))
    ]


def _rest(hits: Sequence[Hit], read: dict[str, list[Hit]]) -> list[Hit]:
    """The chunks that lists of the first hits go on in, before and behind them."""
    had = {hit.chunk_id for hit in hits}
    added: dict[str, Hit] = {}
    for hit in hits[:LOOKED_AT]:
        document = read.get(hit.document_id, [])
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


def _has_rows(hit: Hit) -> bool:
    return any(unit.kind == "row" for unit in split(hit.text))


def _part(hit: Hit, end: int) -> bool:
    """Whether a chunk begins (0) or ends (-1) with a row, an item, or a table's header."""
    units = split(hit.text)
    if not units:
        return False
    unit = units[end]
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
