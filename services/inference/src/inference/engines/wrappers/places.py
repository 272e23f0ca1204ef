"""Places for engines that may be loaded at once: where there are none left, one is let go for another.

Each tenant that has one or wants one has a share: who is at his share gives way himself, so that nobody else waits for
what a tenant asks by turns. One that has answered nobody for a while is anybody's. Of each tenant one at a time has a
place made for it: those of others don't stand behind it.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

IDLE_SECONDS = 30.0
"""How long one is kept for its tenant from its last answer on."""


class Holder(Protocol):
    """An engine that is loaded when it is asked, and can be again."""

    @property
    def tenant(self) -> str | None:
        """Whose it is; None of one that is everybody's."""
        ...

    @property
    def is_answering(self) -> bool:
        """Whether calls go on, or it is being loaded for some: to let it go takes until they have ended."""
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
        """When each was asked last, or answered; longest ago first."""
        self._going: set[Holder] = set()
        """Those of them that are being let go."""
        self._coming: Counter[str | None] = Counter()
        """Whose next have a place made for them."""
        self._turns: weakref.WeakValueDictionary[str | None, asyncio.Lock] = weakref.WeakValueDictionary()
        self._changed = asyncio.Event()

    async def take(self, holder: Holder) -> None:
        """Have a place; where there is none left, another is let go before this returns."""
        turn = self._turns.setdefault(holder.tenant, asyncio.Lock())
        async with turn:
            self._coming[holder.tenant] += 1
            try:
                while holder in self._going or len(self._holders) >= self._most:
                    await self._make_place(holder)
                self._holders[holder] = self._now()
            finally:
                self._coming -= Counter((holder.tenant,))
                self._note_change()

    def asked(self, holder: Holder) -> None:
        """It is asked now, or has answered."""
        if holder in self._holders:
            del self._holders[holder]
            self._holders[holder] = self._now()

    def leave(self, holder: Holder) -> None:
        """It holds nothing any more."""
        self._holders.pop(holder, None)
        self._note_change()

    async def _make_place(self, holder: Holder) -> None:
        """Let one go; where each is being let go for somebody, or this one is itself, wait until that has ended."""
        staying = [one for one in self._holders if one not in self._going]
        if holder in self._going or not staying:
            await self._changed.wait()
            return
        leaving = self._leaving(staying)
        self._going.add(leaving)
        try:
            await leaving.let_go()
        finally:
            self._going.discard(leaving)
        self.leave(leaving)

    def _leaving(self, staying: Sequence[Holder]) -> Holder:
        """The one whose place another has: one that is idle, else of the tenant that would have the most, which may be
        the other's own; of those one that answers nobody now, else the one that was asked longest ago."""
        quiet = [one for one in staying if not one.is_answering]
        if quiet and self._now() - self._holders[quiet[0]] >= IDLE_SECONDS:
            return quiet[0]
        held = self._coming + Counter(one.tenant for one in staying)
        most = max(held[one.tenant] for one in staying)
        return next(one for one in (*quiet, *staying) if held[one.tenant] == most)

    def _note_change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
