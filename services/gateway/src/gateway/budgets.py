"""What the SQL ledger knows of a budget: the truth from which the limiter's counters are made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, func, literal, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import LedgerUnavailable
from gateway.ports import BudgetBook, Gate, Limiter, Whose
from gateway.tables import reservations, usage
from servicekit.sql import Database

SPENT = ""
_WHOSE: dict[Whose, tuple[Column[Any], Column[Any]]] = {
    "key": (usage.c.key_id, reservations.c.key_id),
    "tenant": (usage.c.tenant, reservations.c.tenant),
}


class BudgetLedger:
    """Reads budgets from the usage rows and the open reservations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.loaded: dict[str, Gate] = {}
        """Budgets made known by this replica, which a look at the ledger must confirm."""

    async def load(self, limiter: Limiter, gate: Gate) -> None:
        """Make a budget known to the limiter; raises `LimiterAway` or `LedgerUnavailable`."""
        await limiter.load(gate, await self.book(gate))
        self.loaded[gate.identity] = gate

    async def book(self, gate: Gate) -> BudgetBook:
        """What was spent in a budget's period, and what attempts that run may still cost; one moment's view.

        Raises `LedgerUnavailable`.
        """
        period = gate.period
        if period is None:
            raise ValueError("only a budget has a book")
        spender, holder = _WHOSE[gate.whose]
        spent = select(literal(SPENT), func.coalesce(func.sum(usage.c.cost_nano_usd), 0)).where(
            spender == gate.name, usage.c.started_at >= period.since, usage.c.started_at < period.until
        )
        held = select(reservations.c.id, func.coalesce(reservations.c.cost_nano_usd, 0)).where(
            holder == gate.name, reservations.c.started_at >= period.since, reservations.c.started_at < period.until
        )
        try:  # one statement, since two would see two moments on PostgreSQL
            async with self._database.read() as connection:
                amounts = {row[0]: int(row[1]) for row in await connection.execute(union_all(spent, held))}
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise LedgerUnavailable from error
        return BudgetBook(amounts.pop(SPENT), amounts)
