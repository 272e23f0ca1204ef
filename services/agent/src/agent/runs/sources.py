"""The passages of documents that a run's tools found or read, as its record names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Text, literal_column, select

from agent.tables import MESSAGES, TOOL_CALLS
from contracts.agents.runs import MOST_SOURCES, RunSource
from servicekit.sql.transaction import Transaction

MOST_TEXT_CHARS = 100_000
"""Of all passages together, half of what a record holds; those behind it are named without their words."""
MOST_MESSAGES = 1000
"""Of a thread, the newest ones, that are looked through."""
_CALL = MESSAGES.c.message.op("->>", return_type=Text())(literal_column("'call_id'")).label("call_id")


async def list_sources(connection: Transaction, run: Mapping[str, Any]) -> list[RunSource]:
    """Those of a run until now, by its row, then what its model read besides: those of earlier runs on its thread, and
    of what a replay took over, the newest first, as far as those runs are still there."""
    at = TOOL_CALLS.c
    own = select(at.sources).where(at.run_id == run["id"], at.sources.is_not(None)).order_by(at.step, at.number)
    found = list((await connection.execute(own)).scalars())
    newest = MESSAGES.c.position.desc()
    of_thread = (MESSAGES.c.thread_id == run["thread_id"]) & (MESSAGES.c.run_id < run["id"])  # ids grow
    said = select(MESSAGES.c.run_id, _CALL, MESSAGES.c.position).where(of_thread).order_by(newest)
    known = said.limit(MOST_MESSAGES).subquery()
    same = (known.c.run_id == at.run_id) & (known.c.call_id == at.call_id)
    earlier = select(at.sources).join(known, same).where(at.sources.is_not(None)).order_by(known.c.position.desc())
    found += (await connection.execute(earlier)).scalars()
    return bounded(RunSource.model_validate(source) for sources in found for source in sources)


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
