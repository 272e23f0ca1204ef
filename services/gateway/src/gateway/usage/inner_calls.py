"""What the calls inside another one have used: those of a `rag:` answer, of an MCP call, of an agent's run.

They are rows of their own under their parent. A receipt, or a run's usage, is written only once none of them is open:
not here, nor on another replica, which shows by its reservations. The wait is bounded. What is open even then counts
with what it was let in for, which is also what it is billed with if its replica has died.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Select, Table, func, select

from contracts.models.receipts import Attempt, TokenCounts
from gateway.metrics import INNER_WAIT
from gateway.models.cost import sum_costs, usd_text
from gateway.storage.tables import reservations, usage
from gateway.usage.meter import Meter, MeteredCall
from gateway.usage.records import CUT
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
UNSETTLED = "usage_unsettled"
"""`degraded` of a receipt that was written though a call inside was still open: its numbers may be too high."""
NOT_ASKED = "circuit_open"
"""Outcome of an attempt that called nobody, and so has no row."""
NO_RERANK = ("chat", "reading", "tuning")
"""Routes whose prompt tokens no rerank model has read."""
SETTLED_SECONDS = 2.0
LOOK_SECONDS = 0.02
"""How often it is looked for what other replicas have open."""


@dataclass(frozen=True, slots=True)
class Spent:
    """The sums over the calls inside one call; `cost` in nano-dollars, null if one price is unknown."""

    tokens: TokenCounts
    cost: int | None
    attempts: tuple[Attempt, ...]
    """At chat models, in the order in which they began."""
    settled: bool
    """Whether nothing was open any more."""


class InnerCalls:
    """Reads sums from the ledger, at the right moment."""

    def __init__(self, database: Database, meter: Meter) -> None:
        self._database = database
        self._meter = meter

    async def spent(self, parent_id: str, key_id: str) -> Spent:
        """What a key's calls inside one call have used, once all of them are settled or `SETTLED_SECONDS` are over."""
        began = time.perf_counter()
        await self._meter.wait_for_inner(parent_id, SETTLED_SECONDS)
        while True:
            rows, held = await self._read(parent_id, key_id)
            if not held or time.perf_counter() - began > SETTLED_SECONDS:
                break
            await asyncio.sleep(LOOK_SECONDS)
        INNER_WAIT.observe(time.perf_counter() - began)
        return spent_of([*rows, *held], settled=not held)

    async def spent_for_requests(self, name: str, key_id: str, since: datetime | None = None) -> Spent:
        """What a key's public calls have used whose request ids begin with this name and a point, with all that was
        called for them: an evaluation's. Waits like `spent` for those that are open."""
        began = time.perf_counter()
        while True:
            rows, held = await self._found(lambda table: _of_requests(table, name, key_id, since))
            if not held or time.perf_counter() - began > SETTLED_SECONDS:
                return spent_of([*rows, *held], settled=not held)
            await asyncio.sleep(LOOK_SECONDS)

    async def _read(self, parent_id: str, key_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return await self._found(lambda table: _inner(table, parent_id, key_id))

    async def _found(self, query: Callable[[Table], Select[Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows, and reservations that no row has ended yet; of one moment."""
        async with self._database.read() as connection:
            held = (await connection.execute(query(reservations))).mappings().all()
            rows = (await connection.execute(query(usage))).mappings().all()
        known = {row["id"] for row in rows}
        return [dict(row) for row in rows], [dict(row) for row in held if row["id"] not in known]


def complete_receipt(receipt: dict[str, Any], call: MeteredCall, spent: Spent) -> None:
    """Write into the receipt that came with an answer what the ledger has of the calls inside it."""
    degraded = list(receipt.get("degraded") or [])
    if not spent.settled:
        log.warning("a receipt counts calls as they were let in", call=call.id)
        degraded.append(UNSETTLED)
    attempts = [one for one in receipt.get("attempts") or [] if isinstance(one, dict)]
    own = [one for one in attempts if not spent.attempts or one.get("outcome") == NOT_ASKED]
    receipt["attempts"] = [*own, *(attempt.model_dump(mode="json") for attempt in spent.attempts)]
    receipt["tokens"] = spent.tokens.model_dump(mode="json")
    receipt["degraded"] = degraded
    receipt["cache"] = call.cache
    if call.assignment is not None:
        receipt["variant"] = call.assignment.variant.model_dump()
    receipt["cost_usd"] = usd_text(spent.cost)


def _inner(table: Table, parent_id: str, key_id: str) -> Select[Any]:
    # Not a column but a value of it: SQLite, without statistics, would read all of the key's calls to find these.
    inner = (table.c.parent_id == parent_id) & (func.coalesce(table.c.key_id, "") == key_id)
    return select(table).where(inner).order_by(table.c.started_at, table.c.id, table.c.attempt)


def _of_requests(table: Table, name: str, key_id: str, since: datetime | None) -> Select[Any]:
    columns = table.c
    which = [columns.key_id == key_id, columns.request_id.startswith(f"{name}.", autoescape=True)]
    if since is not None:
        which.append(columns.started_at >= since)
    return select(table).where(*which).order_by(columns.started_at, columns.id, columns.attempt)


def spent_of(rows: Sequence[Mapping[str, Any]], *, settled: bool) -> Spent:
    """The sums over some rows. A search's prompt tokens are those that its rerank has read."""
    chats = [row for row in rows if row["route"] == "chat"]
    tokens = TokenCounts(
        prompt=sum(row["prompt_tokens"] for row in chats),
        completion=sum(row["completion_tokens"] for row in chats),
        embedding=sum(row["embedding_tokens"] for row in rows),
        rerank=sum(row["prompt_tokens"] for row in rows if row["route"] not in NO_RERANK),
        reading=sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows if row["route"] == "reading"),
    )
    attempts = tuple(
        Attempt(model=row["model"] or "", upstream="inference", outcome=_outcome(row), ms=float(row.get("ms", 0)))
        for row in chats
    )
    return Spent(tokens, sum_costs(*(row["cost_nano_usd"] for row in rows)), attempts, settled)


def _outcome(row: Mapping[str, Any]) -> str:
    if "status" not in row:
        return CUT  # a reservation: nobody has told its end
    return row["error_type"] or "ok"
