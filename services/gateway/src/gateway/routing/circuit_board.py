"""Circuits as all replicas see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class BoardUnavailable(Exception):
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
    """Where replicas tell one another how models do. Every call raises `BoardUnavailable` if it can't be had."""

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
