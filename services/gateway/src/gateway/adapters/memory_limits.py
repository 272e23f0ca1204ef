"""Limits in this process's memory, by a clock that a test can move: exact for one replica only."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.ports import Gate, GateState, Verdict
from servicekit.clock import Clock


class MemoryLimiter:
    """A `RequestLimiter` for tests and trials."""

    def __init__(self, clock: Clock, window_seconds: float = 60.0) -> None:
        self._clock = clock
        self._window = timedelta(seconds=window_seconds)
        self._calls: dict[str, deque[datetime]] = {}

    async def take(self, gates: Sequence[Gate], call_id: str) -> Verdict:
        """Check all gates, then charge all."""
        now = self._clock.now()
        logs = [self._current(gate.name, now) for gate in gates]
        full = [at for at, (gate, log) in enumerate(zip(gates, logs, strict=True)) if len(log) >= gate.limit]
        if not full:
            for log in logs:
                log.append(now)
        states = tuple(self._state(gate, log, now) for gate, log in zip(gates, logs, strict=True))
        return Verdict(full[0] if full else None, states)

    async def probe(self) -> None:
        """Always there."""

    def _current(self, name: str, now: datetime) -> deque[datetime]:
        log = self._calls.setdefault(name, deque())
        while log and log[0] <= now - self._window:
            log.popleft()
        return log

    def _state(self, gate: Gate, log: deque[datetime], now: datetime) -> GateState:
        oldest, newest = (log[0], log[-1]) if log else (now - self._window, now - self._window)
        return GateState(
            max(0, gate.limit - len(log)),
            (oldest + self._window - now).total_seconds(),
            (newest + self._window - now).total_seconds(),
        )
