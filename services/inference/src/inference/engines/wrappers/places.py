"""Places for engines that may be loaded at once: the one that was asked longest ago is let go for another."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Holder(Protocol):
    """An engine that is loaded when it is asked, and can be again."""

    async def let_go(self) -> None:
        """Free what it holds, once the calls that it answers have ended; later calls have it loaded again."""
        ...


class Places:
    """Who has one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._holders: dict[Holder, None] = {}
        """Asked longest ago first."""
        self._one_at_a_time = asyncio.Lock()

    async def take(self, holder: Holder) -> None:
        """Have a place; where there is none left, another is let go before this returns."""
        async with self._one_at_a_time:
            while len(self._holders) >= self._most:
                longest = next(iter(self._holders))
                await longest.let_go()
                self.leave(longest)
            self._holders[holder] = None

    def asked(self, holder: Holder) -> None:
        """It is asked now."""
        if holder in self._holders:
            del self._holders[holder]
            self._holders[holder] = None

    def leave(self, holder: Holder) -> None:
        """It holds nothing any more."""
        self._holders.pop(holder, None)
