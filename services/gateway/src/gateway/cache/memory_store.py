"""Answers in this process's memory, by a clock that a test can move."""

from __future__ import annotations

from datetime import datetime, timedelta

from servicekit.core.clock import Clock


class MemoryStore:
    """An `AnswerStore` for tests and trials."""

    def __init__(self, clock: Clock, most_bytes: int) -> None:
        self._clock = clock
        self._most = most_bytes
        self._kept: dict[str, tuple[datetime, str]] = {}
        self._epochs: dict[str | None, int] = {}
        self._claims: dict[str, tuple[datetime, str]] = {}

    async def get(self, name: str, tenant: str) -> tuple[str | None, str]:
        """From the dictionary."""
        until, text = self._kept.get(name, (self._clock.now(), None))
        epoch = f"{self._epochs.get(None, 0)}.{self._epochs.get(tenant, 0)}"
        return (text if until > self._clock.now() else None), epoch

    async def put(self, name: str, text: str, seconds: float) -> None:
        """Others that expire first make room."""
        now = self._clock.now()
        self._kept.pop(name, None)
        others = sorted((until, other) for other, (until, _) in self._kept.items())
        while others and (others[0][0] <= now or self._size() + len(text.encode()) > self._most):
            del self._kept[others.pop(0)[1]]
        self._kept[name] = now + timedelta(seconds=seconds), text

    async def delete(self, prefix: str, tenant: str) -> None:
        """From the dictionaries."""
        self._kept = {name: kept for name, kept in self._kept.items() if not name.startswith(prefix)}
        self._epochs.pop(tenant, None)

    async def raise_epoch(self, tenant: str | None) -> None:
        """Count up."""
        self._epochs[tenant] = self._epochs.get(tenant, 0) + 1

    async def claim(self, name: str, owner: str, seconds: float) -> bool:
        """In the dictionary."""
        now = self._clock.now()
        if name in self._claims and self._claims[name][0] > now:
            return False
        self._claims[name] = now + timedelta(seconds=seconds), owner
        return True

    async def release(self, name: str, owner: str) -> None:
        """Out of the dictionary."""
        if self._claims.get(name, (None, None))[1] == owner:
            del self._claims[name]

    def _size(self) -> int:
        return sum(len(text.encode()) for _, text in self._kept.values())
