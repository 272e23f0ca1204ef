"""The passages of documents that a run's tools found or read, as its record names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from agent.runs.origin import origin_of
from agent.tables import RUNS, TOOL_CALLS
from contracts.agents.runs import MOST_SOURCES, RunSource
from servicekit.sql.transaction import Transaction

MOST_TEXT_CHARS = 100_000
"""Of all passages together, half of what a record holds; those behind it are named without their words."""
MOST_ORIGINS = 20
"""Runs that a replay of a replay goes back to."""


async def list_sources(connection: Transaction, run: Mapping[str, Any]) -> list[RunSource]:
    """Those of a run until now, by its row, and of what it took over of others that are still there."""
    at = TOOL_CALLS.c
    which, found = at.run_id == run["id"], list[RunSource]()
    row: Mapping[str, Any] | None = run
    for _ in range(MOST_ORIGINS):
        query = select(at.sources).where(which, at.sources.is_not(None)).order_by(at.step, at.number)
        calls = (await connection.execute(query)).scalars().all()
        found[:0] = [RunSource.model_validate(source) for sources in calls for source in sources]
        origin = origin_of(row) if row is not None else None
        if origin is None:
            break
        which = (at.run_id == origin.run_id) & (at.step <= origin.after)
        before = select(RUNS.c.replayed_from).where(RUNS.c.id == origin.run_id)
        known = (await connection.execute(before)).mappings().one_or_none()
        row = None if known is None else dict(known)
    return bounded(found)


def bounded(found: Iterable[RunSource]) -> list[RunSource]:
    """Each passage once: the first of every document, so that no document goes unnamed for another's passages, then the
    others, `MOST_SOURCES` at most."""
    each = {(one.collection, one.document_id, one.chunk_id): one for one in found}
    first: dict[tuple[str, str], RunSource] = {}
    for one in each.values():
        first.setdefault((one.collection, one.document_id), one)
    others = [one for one in each.values() if first[one.collection, one.document_id] is not one]
    kept, room = list[RunSource](), MOST_TEXT_CHARS
    for one in [*first.values(), *others][:MOST_SOURCES]:
        room -= len(one.text or "")
        kept.append(one if room >= 0 else one.model_copy(update={"text": None}))
    return kept
