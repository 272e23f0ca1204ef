"""What the gateway uses that has more than one implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Whose = Literal["key", "tenant", "model"]
GateKind = Literal["requests", "tokens", "concurrency", "budget"]
BudgetWindow = Literal["day", "month"]


class LimiterAway(Exception):
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
class BudgetBook:
    """A budget as the limiter has it: nano-dollars spent, and those held for each attempt that runs."""

    spent: int
    holds: Mapping[str, int]


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
    """Holds gates exactly, for all replicas that share it. Every call raises `LimiterAway` when it can't answer."""

    async def reserve(self, attempt_id: str, gates: Sequence[Gate], needs: Sequence[int]) -> Verdict:
        """Let an attempt pass all gates or none: every gate is checked before any is charged with its need."""
        ...

    async def settle(self, settlement: Settlement, gates: Sequence[Gate]) -> list[Spent]:
        """Put what was used in the place of what was reserved, and free its place. Again changes nothing."""
        ...

    async def renew(self, leases: Sequence[tuple[str, Sequence[Gate]]]) -> None:
        """Keep the places of these running attempts, which would be freed soon otherwise."""
        ...

    async def load(self, gate: Gate, book: BudgetBook) -> None:
        """Make known what the ledger knows of a budget; does nothing if it is known."""
        ...

    async def book(self, gate: Gate) -> BudgetBook | None:
        """What is known of a budget; None if nothing is."""
        ...

    async def correct(self, gate: Gate, seen: int, spent: int) -> bool:
        """Set a budget's spending, if it is still what was seen and no attempt is running."""
        ...

    async def forget(self, whose: Sequence[tuple[str, str]]) -> None:
        """Drop everything that is counted for these: `("tenant", its name)`, `("key", its id)`."""
        ...

    async def probe(self) -> None:
        """Raise unless the limiter answers."""
        ...


class BoardAway(Exception):
    """The board of circuits can't answer now."""


@dataclass(frozen=True, slots=True)
class SharedCircuit:
    """A model's circuit as all replicas know it: counts within the window, whether it has opened and no probe has
    succeeded since, and for how long no call may pass."""

    requests: int
    failures: int
    tripped: bool
    open_seconds: float


class CircuitBoard(Protocol):
    """Where replicas tell one another how models do. Every call raises `BoardAway` if it can't be had."""

    async def exchange(self, model: str, requests: int, failures: int, window_seconds: float) -> SharedCircuit:
        """Add what one replica saw since it last told, and return what all saw."""
        ...

    async def open(self, model: str, seconds: float) -> None:
        """No call may pass for so long; then one probe."""
        ...

    async def probe(self, model: str, seconds: float) -> bool:
        """Whether the caller is the one that may try; nobody else within `seconds`, unless it reports before."""
        ...

    async def release(self, model: str) -> None:
        """The probe has told nothing: another may try."""
        ...

    async def close(self, model: str) -> None:
        """The probe has succeeded."""
        ...


class CacheAway(Exception):
    """The cache can't answer now."""


class ResponseCache(Protocol):
    """Keeps answers by name for some time, bounded in bytes. Every call raises `CacheAway` if it can't be had."""

    async def find(self, name: str, tenant: str) -> tuple[str | None, str]:
        """What is kept, and the epoch of the tenant now: an answer of another epoch must not be given out."""
        ...

    async def keep(self, name: str, text: str, seconds: float) -> None:
        """Keep it in the place of what had this name."""
        ...

    async def forget(self, prefix: str, tenant: str) -> None:
        """Drop what is kept under names that begin so, and a tenant's epoch."""
        ...

    async def raise_epoch(self, tenant: str | None) -> None:
        """Another epoch from now on, for one tenant or for all."""
        ...

    async def claim(self, name: str, owner: str, seconds: float) -> bool:
        """Whether the caller is the one that makes this answer: nobody else within `seconds`, unless it releases it."""
        ...

    async def release(self, name: str, owner: str) -> None:
        """The work is done, or given up, by who had claimed it; does nothing for anybody else."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """The characters `start..end` of a text are of this kind, as in `card`."""

    kind: str
    start: int
    end: int


class Guard(Protocol):
    """Looks for one sort of thing in texts. A model could be one, as the rules that we have are."""

    @property
    def name(self) -> str:
        """As in a key's rules and in metrics."""
        ...

    def find(self, text: str) -> list[Finding]:
        """Findings from left to right, none within another."""
        ...
