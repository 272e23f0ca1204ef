"""Event streams that callers follow: each takes a slot of its key and tenant, and a key has a bounded number of them.

They are no requests and cost nothing, but each holds two connections for as long as its client likes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.auth.keys import Principal
from gateway.limits.admission import Admission
from gateway.metrics import LIMIT_REJECTIONS
from servicekit.core.errors import RateLimited
from servicekit.core.identifiers import new_id


class TooManyEventStreams(RateLimited):
    """A key follows as many event streams as it may."""

    code = "too_many_event_streams"

    def __init__(self, most: int) -> None:
        super().__init__(f"This key follows {most:,} event streams already. Close one first.", retry_after=1)


class EventStreams:
    """Knows the event streams that are open in this process."""

    def __init__(self, admission: Admission, most: int) -> None:
        """`most`: of one key, here; a key's and a tenant's `concurrency` hold on all replicas."""
        self._admission = admission
        self._most = most
        self._open: Counter[str] = Counter()

    @asynccontextmanager
    async def follow(self, principal: Principal) -> AsyncIterator[None]:
        """One stream, until the block ends; raises `TooManyEventStreams` or `TooManyAtOnce`."""
        key_id = principal.key_id
        if self._open[key_id] >= self._most:
            LIMIT_REJECTIONS.labels("key_event_streams").inc()
            raise TooManyEventStreams(self._most)
        self._open[key_id] += 1
        try:
            slot = await self._admission.take_slot(principal, new_id("stream"))
            try:
                yield
            finally:
                self._admission.leave(slot)
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]
