"""Places for engines that may be loaded at once: where there are none left, one is let go for another.

Each tenant that has one or wants one has a share: who is at his share gives way himself, so that nobody else waits for
what a tenant asks by turns. One that nobody has asked for a while is anybody's.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

IDLE_SECONDS = 30.0
"""How long one is kept for its tenant though nobody asks it."""


class Holder(Protocol):
    """An engine that is loaded when it is asked, and can be again."""

    @property
    def tenant(self) -> str | None:
        """Whose it is; None of one that is everybody's."""
        ...

    async def let_go(self) -> None:
        """Free what it holds, once the calls that it answers have ended; later calls have it loaded again."""
        ...


class Places:
    """Who has one."""

    def __init__(self, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._holders: dict[Holder, float] = {}
        """When each was asked last; longest ago first."""
        self._one_at_a_time = asyncio.Lock()

    async def take(self, holder: Holder) -> None:
        """Have a place; where there is none left, another is let go before this returns."""
        async with self._one_at_a_time:
            while len(self._holders) >= self._most:
                leaving = self._leaving(holder.tenant)
                await leaving.let_go()
                self.leave(leaving)
            self._holders[holder] = self._now()

    def asked(self, holder: Holder) -> None:
        """It is asked now."""
        if holder in self._holders:
            del self._holders[holder]
            self._holders[holder] = self._now()

    def leave(self, holder: Holder) -> None:
        """It holds nothing any more."""
        self._holders.pop(holder, None)

    def _leaving(self, tenant: str | None) -> Holder:
        """The one that a tenant's next has the place of: one that is idle, else of him who would have the most, which
        may be the tenant himself; of those the one that was asked longest ago."""
        longest = next(iter(self._holders))
        if self._now() - self._holders[longest] >= IDLE_SECONDS:
            return longest
        held = Counter(holder.tenant for holder in self._holders)
        held[tenant] += 1
        most = max(held.values())
        return next(one for one in self._holders if held[one.tenant] == most)
