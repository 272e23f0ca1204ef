"""What a limiter holds: gates of keys, tenants and models, reserved before an attempt and settled after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

Whose = Literal["key", "tenant", "model"]
GateKind = Literal["requests", "tokens", "concurrency", "budget"]
BudgetWindow = Literal["day", "month"]


class LimiterUnavailable(Exception):
    """The limiter can't answer now."""


@dataclass(frozen=True, slots=True)
class Period:
    """A day or month in UTC: `since` inclusive, `until` exclusive."""

    window: BudgetWindow
    since: datetime
    until: datetime

    @property
    def label(self) -> str:
        """As in `day:2026-11-25`."""
        return f"{self.window}:{self.since:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit of one key, tenant or model.

    `limit` is calls or tokens in any window of a minute, calls at once, or nano-dollars in the period of a budget.
    """

    kind: GateKind
    whose: Whose
    name: str
    limit: int
    period: Period | None = None
    """Of a budget."""

    @property
    def identity(self) -> str:
        """What tells it from every other gate, whatever its limit is now."""
        return f"{self.kind}:{self.whose}:{self.name}" + (f":{self.period.label}" if self.period else "")


@dataclass(frozen=True, slots=True)
class GateState:
    """One gate after a check: what is used of the limit, this call included if it was let in; seconds until a refused
    call would pass; and seconds until everything counted now has left the window."""

    used: int
    retry_seconds: float
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a call. Nothing was charged if `refused` is set (the first gate that said no), or `unloaded`
    is not empty: budgets whose spending the limiter does not know and must be given."""

    refused: int | None
    gates: tuple[GateState, ...]
    unloaded: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget after a settlement: nano-dollars spent, and the percentages that it has just passed for the first time
    in its period."""

    gate: Gate
    nano_usd: int
    passed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetBalance:
    """A budget as the limiter has it: nano-dollars spent, and those held for each attempt that runs."""

    spent: int
    reserved: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a reserved attempt really used. `reserved_at` is given where the limiter was away at the reservation, and
    so never charged it: a budget that it has known since before then is charged now."""

    attempt_id: str
    tokens: int
    cost: int
    reserved_at: datetime | None = None
    refused: bool = False
    """The call was let in before its body was read, and refused since: it has used up no request."""


ALERT_PERCENT = (80, 100)


class Limiter(Protocol):
    """Holds gates exactly, for all replicas that share it. Every call may raise `LimiterUnavailable`."""

    async def reserve(self, attempt_id: str, gates: Sequence[Gate], amounts: Sequence[int]) -> Verdict:
        """Let an attempt pass all gates or none: every gate is checked before any is charged with its amount."""
        ...

    async def settle(self, settlement: Settlement, gates: Sequence[Gate]) -> list[Spent]:
        """Put what was used in the place of what was reserved, and free its slot. Again changes nothing."""
        ...

    async def renew(self, leases: Sequence[tuple[str, Sequence[Gate]]]) -> None:
        """Keep the slots of these running attempts, which would be freed soon otherwise."""
        ...

    async def load(self, gate: Gate, balance: BudgetBalance) -> None:
        """Make known what the ledger knows of a budget; does nothing if it is known."""
        ...

    async def get_balance(self, gate: Gate) -> BudgetBalance | None:
        """What is known of a budget; None if nothing is."""
        ...

    async def correct(self, gate: Gate, seen: int, spent: int) -> bool:
        """Set a budget's spending, if it is still what was seen and no attempt is running."""
        ...

    async def delete_counters(self, whose: Sequence[tuple[str, str]]) -> None:
        """Drop everything that is counted for these: `("tenant", its name)`, `("key", its id)`."""
        ...

    async def probe(self) -> None:
        """Raise unless the limiter answers."""
        ...


def period_of(window: BudgetWindow, moment: datetime) -> Period:
    """The day or month that a moment (UTC) is in."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "day":
        return Period(window, day, day + timedelta(days=1))
    month = day.replace(day=1)
    return Period(window, month, (month + timedelta(days=32)).replace(day=1))
