"""Slots that all tenants share: how many are taken at once, in all and by one of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

WAITING_PER_SLOT = 8
"""Takers that may wait for each that holds a slot, in all and of one tenant; beyond, they are told at once that all
are busy."""


class TenantSlots:
    """So many at once, with a share for each tenant, so that one whose work is slow does not stop the others."""

    def __init__(self, total: int, share: int, busy: Callable[[], Exception]) -> None:
        """`busy` makes the error for those who find no slot."""
        self._total = total
        self._share = share
        self._busy = busy
        self._taken: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, tenant: str, *, wait: bool) -> AsyncIterator[None]:
        """Hold one slot; raises what `busy` makes where none is free and the caller does not (or may not) wait."""
        if not self._free(tenant):
            if not wait or not self._may_wait(tenant):
                raise self._busy()
            await self._until_free(tenant)
        self._taken[tenant] += 1
        try:
            yield
        finally:
            self._taken[tenant] -= 1
            self._taken += Counter()  # forgets tenants that hold none
            async with self._changed:
                self._changed.notify_all()

    async def _until_free(self, tenant: str) -> None:
        self._waiting[tenant] += 1
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._free(tenant))
        finally:
            self._waiting[tenant] -= 1
            self._waiting += Counter()  # forgets tenants of which none waits

    def _may_wait(self, tenant: str) -> bool:
        in_all, own = self._waiting.total(), self._waiting[tenant]
        return in_all < self._total * WAITING_PER_SLOT and own < self._share * WAITING_PER_SLOT

    def _free(self, tenant: str) -> bool:
        return self._taken.total() < self._total and self._taken[tenant] < self._share
