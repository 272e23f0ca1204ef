"""How long a follower of events waits: for news, and for a server that went away."""

from __future__ import annotations

import time
from collections.abc import Callable

from groundwork.errors import ApiError, GroundworkError, Unreachable

AWAY_SECONDS = 300.0
"""A server that is restarted or moved is back by then."""
Away = Callable[[Unreachable | ApiError], None]
"""Told once each time that the server goes away."""


class FollowerDeadlines:
    """The two deadlines of one follower, and who is told when waiting for the server begins."""

    def __init__(
        self,
        silence: float,
        on_away: Away | None,
        clock: Callable[[], float] = time.monotonic,
        away: float = AWAY_SECONDS,
    ) -> None:
        """`silence` and `away`: seconds without news, and without an answer."""
        self._silence, self._away, self._on_away, self._clock = silence, min(silence, away), on_away, clock
        self._news_at = clock()
        self._gone_at: float | None = None

    def news(self) -> None:
        """Something new has come."""
        self._news_at = self._clock()

    def answered(self) -> None:
        """The server is there."""
        self._gone_at = None

    def missed(self, error: Unreachable | ApiError) -> None:
        """It is not, or can't do its work; raises `error` when that has lasted too long."""
        if self._gone_at is None:
            self._gone_at = self._clock()
            if self._on_away is not None:
                self._on_away(error)
        if self._clock() - self._gone_at >= self._away:
            raise error

    def check(self, otherwise: GroundworkError) -> None:
        """Raise `otherwise` when nothing new has come for too long."""
        if self._clock() - self._news_at > self._silence:
            raise otherwise
