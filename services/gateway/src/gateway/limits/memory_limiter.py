"""Limits in this process's memory, by a clock that a test can move: exact for one replica only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.limits.limiter import ALERT_PERCENT, BudgetBalance, Gate, GateState, Settlement, Spent, Verdict
from servicekit.core.clock import Clock


@dataclass
class _Budget:
    spent: int
    reserved: dict[str, int]
    loaded: datetime
    alerted: set[int] = field(default_factory=set)


@dataclass
class _Charge:
    at: datetime
    amount: int


class MemoryLimiter:
    """A `Limiter` for tests and trials."""

    def __init__(self, clock: Clock, window_seconds: float = 60.0, lease_seconds: float = 30.0) -> None:
        self._clock = clock
        self._window = timedelta(seconds=window_seconds)
        self._lease = timedelta(seconds=lease_seconds)
        self._charges: dict[str, dict[str, _Charge]] = {}
        self._budgets: dict[str, _Budget] = {}

    async def reserve(self, attempt_id: str, gates: Sequence[Gate], amounts: Sequence[int]) -> Verdict:
        """Check all gates, then charge all."""
        now = self._clock.now()
        used = [self._used(gate, now) for gate in gates]
        pairs = list(zip(gates, amounts, used, strict=True))
        full = [at for at, (gate, wanted, used) in enumerate(pairs) if used >= 0 and used + wanted > gate.limit]
        unloaded = tuple(at for at, amount in enumerate(used) if amount < 0)
        if not full and unloaded:
            return Verdict(None, tuple(GateState(amount, 0, 0) for amount in used), unloaded)
        retries = [self._retry(gate, wanted, amount, now) for gate, wanted, amount in pairs]
        if not full:
            for gate, wanted, _ in pairs:
                self._charge(gate, attempt_id, wanted, now)
        states = tuple(
            GateState(self._used(gate, now), retries[at] if at in full[:1] else 0.0, self._reset(gate, now))
            for at, gate in enumerate(gates)
        )
        return Verdict(full[0] if full else None, states)

    async def settle(self, settlement: Settlement, gates: Sequence[Gate]) -> list[Spent]:
        """Replace what was reserved by what was used."""
        spent = []
        for gate in gates:
            charges = self._charges.get(gate.identity, {})
            if gate.kind == "tokens" and settlement.attempt_id in charges:
                charges[settlement.attempt_id].amount = settlement.tokens
            elif gate.kind == "concurrency" or (gate.kind == "requests" and settlement.refused):
                charges.pop(settlement.attempt_id, None)
            elif gate.kind == "budget" and (budget := self._budgets.get(gate.identity)) is not None:
                spent.append(_settle(gate, budget, settlement))
        return spent

    async def renew(self, leases: Sequence[tuple[str, Sequence[Gate]]]) -> None:
        """Move the end of each lease."""
        for attempt_id, gates in leases:
            for gate in gates:
                if gate.kind == "concurrency" and attempt_id in self._charges.get(gate.identity, {}):
                    self._charges[gate.identity][attempt_id].at = self._clock.now()

    async def load(self, gate: Gate, balance: BudgetBalance) -> None:
        """Keep it if it is new."""
        self._budgets.setdefault(gate.identity, _Budget(balance.spent, dict(balance.reserved), self._clock.now()))

    async def get_balance(self, gate: Gate) -> BudgetBalance | None:
        """A copy."""
        budget = self._budgets.get(gate.identity)
        return None if budget is None else BudgetBalance(budget.spent, dict(budget.reserved))

    async def correct(self, gate: Gate, seen: int, spent: int) -> bool:
        """Compare and set."""
        budget = self._budgets.get(gate.identity)
        if budget is None or budget.spent != seen or budget.reserved:
            return False
        budget.spent = spent
        return True

    async def delete_counters(self, whose: Sequence[tuple[str, str]]) -> None:
        """By the names of gates."""
        for kind, name in whose:
            mark = f":{kind}:{name}:"
            for kept in (self._charges, self._budgets):
                for identity in [each for each in kept if mark in f"{each}:"]:
                    del kept[identity]

    async def probe(self) -> None:
        """Always there."""

    def _current(self, gate: Gate, now: datetime) -> dict[str, _Charge]:
        life = self._lease if gate.kind == "concurrency" else self._window
        charges = self._charges.setdefault(gate.identity, {})
        for attempt_id in [name for name, charge in charges.items() if charge.at <= now - life]:
            del charges[attempt_id]
        for charge in charges.values():
            charge.at = min(charge.at, now)  # the clock went back
        return charges

    def _used(self, gate: Gate, now: datetime) -> int:
        if gate.kind == "budget":
            budget = self._budgets.get(gate.identity)
            return -1 if budget is None else budget.spent + sum(budget.reserved.values())
        return sum(charge.amount for charge in self._current(gate, now).values())

    def _charge(self, gate: Gate, attempt_id: str, wanted: int, now: datetime) -> None:
        if wanted and gate.kind == "budget":
            self._budgets[gate.identity].reserved[attempt_id] = wanted
        elif wanted:
            self._charges[gate.identity][attempt_id] = _Charge(now, wanted)

    def _retry(self, gate: Gate, wanted: int, used: int, now: datetime) -> float:
        missing, wait = used + wanted - gate.limit, 0.0
        if gate.kind in ("requests", "tokens"):
            for charge in self._current(gate, now).values():
                if missing <= 0:
                    break
                missing, wait = missing - charge.amount, (charge.at + self._window - now).total_seconds()
        return wait

    def _reset(self, gate: Gate, now: datetime) -> float:
        if gate.kind not in ("requests", "tokens"):
            return 0.0
        newest = max((charge.at for charge in self._current(gate, now).values()), default=now - self._window)
        return (newest + self._window - now).total_seconds()


def _settle(gate: Gate, budget: _Budget, settlement: Settlement) -> Spent:
    held = budget.reserved.pop(settlement.attempt_id, None)
    never_charged = settlement.reserved_at is not None and budget.loaded < settlement.reserved_at
    if held is not None or never_charged:
        budget.spent += settlement.cost
    passed = [percent for percent in ALERT_PERCENT if budget.spent * 100 >= gate.limit * percent > 0]
    new = tuple(percent for percent in passed if percent not in budget.alerted)
    budget.alerted.update(new)
    return Spent(gate, budget.spent, new)
