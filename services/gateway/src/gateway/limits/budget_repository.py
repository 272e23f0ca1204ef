"""What the SQL ledger knows of a budget: the truth from which the limiter's counters are made."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Column, func, literal, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from gateway.limits.errors import LedgerUnavailable
from gateway.limits.limiter import BudgetBalance, Gate, Limiter, Whose
from gateway.storage.tables import reservations, usage
from servicekit.sql.database import Database

SPENT = ""
_WHOSE: dict[Whose, tuple[Column[Any], Column[Any]]] = {
    "key": (usage.c.key_id, reservations.c.key_id),
    "tenant": (usage.c.tenant, reservations.c.tenant),
}


WATCHED = 20_000


@dataclass(slots=True)
class Watched:
    """A budget that is compared with the ledger, and what the last look saw: attempts held that had ended in the
    ledger, sums that differed while nothing ran, and how often nothing was amiss."""

    gate: Gate
    stale: frozenset[str] = frozenset()
    differs: tuple[int, int] | None = None
    calm: int = 0


class BudgetRepository:
    """Reads budgets from the usage rows and the open reservations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: OrderedDict[str, Watched] = OrderedDict()

    async def load(self, limiter: Limiter, gate: Gate) -> None:
        """Make a budget known to the limiter; raises `LimiterUnavailable` or `LedgerUnavailable`."""
        await limiter.load(gate, await self.get_balance(gate))
        self.watch(gate)

    def watch(self, gate: Gate) -> None:
        """Have a budget compared with the ledger until both agree."""
        self._watched[gate.identity] = Watched(gate)
        while len(self._watched) > WATCHED:
            self._watched.popitem(last=False)

    def unwatch(self, watched: Watched) -> None:
        """It agrees, or is not known any more."""
        self._watched.pop(watched.gate.identity, None)

    def watched(self, most: int) -> list[Watched]:
        """The budgets whose turn it is."""
        turn = list(islice(self._watched.values(), most))
        for watched in turn:
            self._watched.move_to_end(watched.gate.identity)
        return turn

    async def get_balance(self, gate: Gate) -> BudgetBalance:
        """What was spent in a budget's period, and what attempts that run may still cost; one moment's view.

        Raises `LedgerUnavailable`.
        """
        period = gate.period
        if period is None:
            raise ValueError("only a budget has a balance")
        spender, holder = _WHOSE[gate.whose]
        spent = select(literal(SPENT), func.coalesce(func.sum(usage.c.cost_nano_usd), 0)).where(
            spender == gate.name, usage.c.started_at >= period.since, usage.c.started_at < period.until
        )
        held = select(reservations.c.id, func.coalesce(reservations.c.cost_nano_usd, 0)).where(
            holder == gate.name, reservations.c.started_at >= period.since, reservations.c.started_at < period.until
        )
        try:  # one statement, since two would see two moments on PostgreSQL
            amounts = await self._database.read(
                lambda connection: {row[0]: int(row[1]) for row in connection.execute(union_all(spent, held))}
            )
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise LedgerUnavailable from error
        return BudgetBalance(amounts.pop(SPENT), amounts)
