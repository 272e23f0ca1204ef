"""What the gateway uses that has more than one implementation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Whose = Literal["key", "tenant"]


class LimiterAway(Exception):
    """The limiter can't answer now."""


@dataclass(frozen=True, slots=True)
class Gate:
    """At most `limit` calls in any window. `name` tells gates apart, and starts with `{tenant}` for clusters."""

    name: str
    limit: int
    whose: Whose


@dataclass(frozen=True, slots=True)
class GateState:
    """One gate after a check: calls left, seconds until the oldest one leaves the window, and until all have."""

    remaining: int
    retry_seconds: float
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may pass (`refused` is the first gate that said no), and the state of each gate."""

    refused: int | None
    gates: tuple[GateState, ...]


class RequestLimiter(Protocol):
    """Counts calls in a sliding window, exactly, for all replicas that share it."""

    async def take(self, gates: Sequence[Gate], call_id: str) -> Verdict:
        """Let a call pass all gates or none: every gate is checked before any is charged. Raises `LimiterAway`."""
        ...

    async def probe(self) -> None:
        """Raise unless the limiter answers."""
        ...
