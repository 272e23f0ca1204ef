"""Admission to an engine: a bounded queue before a bounded number of calls; queries first, tenants in turn."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from inference.errors import ModelBusy
from inference.metrics import REJECTED, RUNNING, WAITING, WAITING_TOKENS
from inference.queueing.fair_queue import FairQueue, caller_is_bulk, caller_tenant

FIRST_GUESS_SECONDS = 5.0
WEIGHT_OF_LAST = 0.3
LONGEST_RETRY_SECONDS = 600.0


def reserved_for_queries(slots: int) -> int:
    """Of so many slots, those that bulk leaves free: an eighth, at least one, but not the only one."""
    return max(1, slots // 8) if slots > 1 else 0


class Backlog(Protocol):
    """The queue inside an engine, as the engine reports it."""

    def is_full(self) -> bool:
        """Whether more calls wait in it than should. Answers at once, from what was last heard; False if unknown."""
        ...

    def add(self) -> None:
        """One more call goes to the engine, which it has not counted yet."""
        ...


@dataclass(slots=True)
class _PriorityQueue:
    """Calls of one priority that have no slot yet; those that are `ready` have done all that they do before one."""

    waiting: int = 0
    tokens: int = 0
    ready: FairQueue[Ticket] = field(default_factory=FairQueue)
    by_tenant: Counter[str] = field(default_factory=Counter)
    """Calls by tenant."""


class Admission:
    """`slots` calls run, at most `waiting` more wait, with at most `waiting_tokens` tokens, and no call is let in
    while the engine's own queue is full. The next is refused with an honest `Retry-After`. A slot that becomes free is
    for the tenant that holds fewest; a queue that others fill is twice as long for a tenant that has no call in it.

    Bulk has a queue of its own, as long; it waits for every other call, and never takes the last `reserved` slots.
    """

    def __init__(
        self,
        model: str,
        *,
        slots: int,
        waiting: int,
        waiting_tokens: int | None = None,
        backlog: Backlog | None = None,
        reserved: int = 0,
    ) -> None:
        self._model = model
        self._slots = slots
        self._most_waiting = waiting
        self._most_tokens = waiting_tokens
        self._backlog = backlog
        self._reserved = reserved
        self._queries, self._bulk = _PriorityQueue(), _PriorityQueue()
        self._running = 0
        self._running_of: Counter[str] = Counter()
        self._usual_seconds = FIRST_GUESS_SECONDS

    @property
    def running(self) -> int:
        """Calls that hold a slot."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait for one."""
        return self._queries.waiting + self._bulk.waiting

    def join(self, tokens: int = 0, *, bulk: bool = False) -> Ticket:
        """Join the queue at once, so that what a call does before it has a slot is bounded, too; `bulk`'s, also where
        the caller's token says so. Raises `ModelBusy`.

        A call of more tokens than may wait is let in where nobody else waits, so that it is not refused for ever.
        Whoever has a ticket must `release` it.
        """
        queue, tenant = self._bulk if bulk or caller_is_bulk() else self._queries, caller_tenant()
        if self._is_full(queue, tokens, tenant):
            REJECTED.labels(self._model).inc()
            raise ModelBusy(self._model, retry_after=self._seconds_to_wait())
        return Ticket(self, queue, tokens, tenant)

    async def enter(self, tokens: int = 0, *, bulk: bool = False) -> Callable[[], None]:
        """Wait for a slot; returns what releases it, which may be called twice. Raises `ModelBusy`."""
        ticket = self.join(tokens, bulk=bulk)
        try:
            await ticket.wait()
        except BaseException:
            ticket.release()
            raise
        return ticket.release

    async def give_way(self, release: Callable[[], None], tokens: int) -> Callable[[], None]:
        """The slot of a bulk call again, once the queries that wait for one have had it. It is not refused: it was let
        in before."""
        if not self._queries.waiting:
            return release
        release()
        ticket = Ticket(self, self._bulk, tokens, caller_tenant())
        await ticket.wait()
        return ticket.release

    def _is_full(self, queue: _PriorityQueue, tokens: int, tenant: str) -> bool:
        if self._backlog is not None and self._backlog.is_full():
            return True
        wait_already = queue.waiting - self._free(queue)
        longer = 2 if tenant and not queue.by_tenant[tenant] else 1
        if wait_already >= self._most_waiting * longer and wait_already >= 0:
            return True
        is_over = self._most_tokens is not None and queue.tokens + tokens > self._most_tokens * longer
        return wait_already >= 0 and queue.waiting > 0 and is_over

    def _free(self, queue: _PriorityQueue) -> int:
        """Slots that a queue may take."""
        before = self._queries.waiting if queue is self._bulk else 0
        return max(0, self._most(queue) - self._running - before)

    def _seconds_to_wait(self) -> float:
        return min(LONGEST_RETRY_SECONDS, self._usual_seconds * (self.waiting + 1) / self._slots)

    def assign_slots(self) -> None:
        """To those who have come for one, queries before bulk."""
        for queue in (self._queries, self._bulk):
            while queue.ready and self._running < self._most(queue):
                queue.ready.popleft(self._running_of).begin()

    def _most(self, queue: _PriorityQueue) -> int:
        return self._slots - (self._reserved if queue is self._bulk else 0)

    def record_start(self, tenant: str) -> None:
        """A ticket has its slot."""
        self._count_running(1, tenant)
        if self._backlog is not None:
            self._backlog.add()

    def record_end(self, tenant: str, seconds: float) -> None:
        """A ticket released its slot after so long."""
        self._usual_seconds += WEIGHT_OF_LAST * (seconds - self._usual_seconds)
        self._count_running(-1, tenant)
        self.assign_slots()

    def count_waiting(self, queue: _PriorityQueue, calls: int, tokens: int, tenant: str) -> None:
        """So many more wait in a queue."""
        queue.waiting += calls
        queue.by_tenant[tenant] += calls
        if not queue.by_tenant[tenant]:
            del queue.by_tenant[tenant]
        queue.tokens += tokens
        WAITING.labels(self._model).set(self.waiting)
        WAITING_TOKENS.labels(self._model).set(self._queries.tokens + self._bulk.tokens)

    def _count_running(self, change: int, tenant: str) -> None:
        self._running += change
        self._running_of[tenant] += change
        if not self._running_of[tenant]:
            del self._running_of[tenant]
        RUNNING.labels(self._model).set(self._running)


class Ticket:
    """One call's place in the queue from the moment it is made, then its slot, until it is released."""

    def __init__(self, admission: Admission, queue: _PriorityQueue, tokens: int, tenant: str) -> None:
        self._admission = admission
        self._queue = queue
        self._tokens = tokens
        self._tenant = tenant
        self._slot: asyncio.Future[None] | None = None
        self._began: float | None = None
        self._is_over = False
        admission.count_waiting(queue, 1, tokens, tenant)

    async def wait(self) -> None:
        """Wait for a slot. A call that is cancelled meanwhile has released its ticket."""
        self._slot = asyncio.get_running_loop().create_future()
        self._queue.ready.extend(self._tenant, [self])
        self._admission.assign_slots()
        try:
            await self._slot
        except BaseException:
            self.release()
            raise

    def begin(self) -> None:
        """It has its slot."""
        assert self._slot is not None
        self._began = time.monotonic()
        self._admission.count_waiting(self._queue, -1, -self._tokens, self._tenant)
        self._admission.record_start(self._tenant)
        if not self._slot.done():  # else it was cancelled at this moment, and leaves next
            self._slot.set_result(None)

    def release(self) -> None:
        """Give up what it has, its slot or its wait for one; may be called twice."""
        if self._is_over:
            return
        self._is_over = True
        if self._began is None:
            self._admission.count_waiting(self._queue, -1, -self._tokens, self._tenant)
            if self in self._queue.ready.of(self._tenant):
                self._queue.ready.remove(self._tenant, self)
        else:
            self._admission.record_end(self._tenant, time.monotonic() - self._began)
