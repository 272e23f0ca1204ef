"""Circuits in this process's memory, by a clock that a test can move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.routing.circuit_board import SharedCircuit


@dataclass
class _Shared:
    counts: list[tuple[float, int, int]] = field(default_factory=list)
    tripped: bool = False
    open_until: float = 0.0
    probe_until: float = 0.0


class MemoryCircuits:
    """A `CircuitBoard` for tests and trials."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._models: dict[str, _Shared] = {}

    async def exchange(self, model: str, requests: int, failures: int, window_seconds: float) -> SharedCircuit:
        """Add and sum up."""
        known, now = self._of(model), self._clock()
        known.counts.append((now, requests, failures))
        known.counts = [count for count in known.counts if count[0] > now - window_seconds]
        return SharedCircuit(
            sum(count[1] for count in known.counts),
            sum(count[2] for count in known.counts),
            known.tripped,
            max(0.0, known.open_until - now),
        )

    async def open(self, model: str, seconds: float) -> None:
        """Trip."""
        known = self._of(model)
        known.tripped, known.open_until, known.probe_until = True, self._clock() + seconds, 0.0

    async def probe(self, model: str, seconds: float) -> bool:
        """The first one wins."""
        known, now = self._of(model), self._clock()
        if now < known.probe_until:
            return False
        known.probe_until = now + seconds
        return True

    async def release(self, model: str) -> None:
        """Nobody probes now."""
        self._of(model).probe_until = 0.0

    async def close(self, model: str) -> None:
        """Forget everything."""
        self._models.pop(model, None)

    def _of(self, model: str) -> _Shared:
        return self._models.setdefault(model, _Shared())
