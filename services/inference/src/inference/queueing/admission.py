"""Admission to an engine: a bounded line before a bounded number of calls; queries first, tenants in turn."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from inference.errors import ModelBusy
from inference.metrics import REJECTED, RUNNING, WAITING, WAITING_TOKENS
from inference.queueing.fair_queue import FairQueue, caller_tenant

FIRST_GUESS_SECONDS = 5.0
WEIGHT_OF_LAST = 0.3
LONGEST_RETRY_SECONDS = 600.0


def kept_for_queries(places: int) -> int:
    """Of so many places, those that bulk leaves free: an eighth, at least one, but not the only one."""
    return max(1, places // 8) if places > 1 else 0


class Backlog(Protocol):
    """What an engine says of its own line."""

    def full(self) -> bool:
        """Whether more calls wait in it than should. Answers at once, from what was last heard; False if unknown."""
        ...

    def entered(self) -> None:
        """One more call goes to the engine, which it has not counted yet."""
        ...


@dataclass(slots=True)
class _Line:
    """Calls of one priority that have no place yet; those of `coming` have done all that they do before one."""

    waiting: int = 0
    tokens: int = 0
    coming: FairQueue[Turn] = field(default_factory=FairQueue)
    of: Counter[str] = field(default_factory=Counter)
    """Calls by tenant."""


class Admission:
    """`places` calls run, at most `waiting` more wait, with at most `waiting_tokens` tokens, and no call is let in
    while the engine's own line is full. The next is refused with an honest `Retry-After`. A place that becomes free is
    for the tenant that holds fewest; a line that others fill is twice as long for a tenant that has no call in it.

    Bulk has a line of its own, as long; it waits for every other call, and never takes the last `kept` places.
    """

    def __init__(
        self,
        model: str,
        *,
        places: int,
        waiting: int,
        waiting_tokens: int | None = None,
        backlog: Backlog | None = None,
        kept: int = 0,
    ) -> None:
        self._model = model
        self._places = places
        self._most_waiting = waiting
        self._most_tokens = waiting_tokens
        self._backlog = backlog
        self._kept = kept
        self._first, self._bulk = _Line(), _Line()
        self._running = 0
        self._running_of: Counter[str] = Counter()
        self._usual_seconds = FIRST_GUESS_SECONDS

    @property
    def running(self) -> int:
        """Calls that hold a place."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait for one."""
        return self._first.waiting + self._bulk.waiting

    def turn(self, tokens: int = 0, *, bulk: bool = False) -> Turn:
        """Join the line at once, so that what a call does before it has a place is bounded, too. Raises `ModelBusy`.

        A call of more tokens than may wait is let in where nobody else waits, so that it is not refused for ever.
        Whoever has a turn must `leave` it.
        """
        line, tenant = self._bulk if bulk else self._first, caller_tenant()
        if self._is_full(line, tokens, tenant):
            REJECTED.labels(self._model).inc()
            raise ModelBusy(self._model, retry_after=self._seconds_to_wait())
        return Turn(self, line, tokens, tenant)

    async def enter(self, tokens: int = 0, *, bulk: bool = False) -> Callable[[], None]:
        """Wait for a place; returns what gives it back, which may be called twice. Raises `ModelBusy`."""
        turn = self.turn(tokens, bulk=bulk)
        try:
            await turn.come()
        except BaseException:
            turn.leave()
            raise
        return turn.leave

    def _is_full(self, line: _Line, tokens: int, tenant: str) -> bool:
        if self._backlog is not None and self._backlog.full():
            return True
        wait_already = line.waiting - self._free(line)
        longer = 2 if tenant and not line.of[tenant] else 1
        if wait_already >= self._most_waiting * longer and wait_already >= 0:
            return True
        is_over = self._most_tokens is not None and line.tokens + tokens > self._most_tokens * longer
        return wait_already >= 0 and line.waiting > 0 and is_over

    def _free(self, line: _Line) -> int:
        """Places that a line may take."""
        before = self._first.waiting if line is self._bulk else 0
        return max(0, self._most(line) - self._running - before)

    def _seconds_to_wait(self) -> float:
        return min(LONGEST_RETRY_SECONDS, self._usual_seconds * (self.waiting + 1) / self._places)

    def give_places(self) -> None:
        """To those who have come for one, queries before bulk."""
        for line in (self._first, self._bulk):
            while line.coming and self._running < self._most(line):
                line.coming.popleft(self._running_of).begin()

    def _most(self, line: _Line) -> int:
        return self._places - (self._kept if line is self._bulk else 0)

    def begun(self, tenant: str) -> None:
        """A turn has its place."""
        self._count_running(1, tenant)
        if self._backlog is not None:
            self._backlog.entered()

    def ended(self, tenant: str, seconds: float) -> None:
        """A turn gave its place back after so long."""
        self._usual_seconds += WEIGHT_OF_LAST * (seconds - self._usual_seconds)
        self._count_running(-1, tenant)
        self.give_places()

    def count_waiting(self, line: _Line, calls: int, tokens: int, tenant: str) -> None:
        """So many more wait in a line."""
        line.waiting += calls
        line.of[tenant] += calls
        if not line.of[tenant]:
            del line.of[tenant]
        line.tokens += tokens
        WAITING.labels(self._model).set(self.waiting)
        WAITING_TOKENS.labels(self._model).set(self._first.tokens + self._bulk.tokens)

    def _count_running(self, change: int, tenant: str) -> None:
        self._running += change
        self._running_of[tenant] += change
        if not self._running_of[tenant]:
            del self._running_of[tenant]
        RUNNING.labels(self._model).set(self._running)


class Turn:
    """One call's turn: it waits from the moment it is made, holds a place once it has come, and leaves."""

    def __init__(self, admission: Admission, line: _Line, tokens: int, tenant: str) -> None:
        self._admission = admission
        self._line = line
        self._tokens = tokens
        self._tenant = tenant
        self._place: asyncio.Future[None] | None = None
        self._began: float | None = None
        self._is_over = False
        admission.count_waiting(line, 1, tokens, tenant)

    def weighs(self, tokens: int) -> None:
        """It has so many tokens, now that they are known."""
        if self._began is None and not self._is_over:
            self._admission.count_waiting(self._line, 0, tokens - self._tokens, self._tenant)
            self._tokens = tokens

    async def come(self) -> None:
        """Wait for a place. Whoever is cancelled meanwhile has left."""
        self._place = asyncio.get_running_loop().create_future()
        self._line.coming.extend(self._tenant, [self])
        self._admission.give_places()
        try:
            await self._place
        except BaseException:
            self.leave()
            raise

    def begin(self) -> None:
        """It has its place."""
        assert self._place is not None
        self._began = time.monotonic()
        self._admission.count_waiting(self._line, -1, -self._tokens, self._tenant)
        self._admission.begun(self._tenant)
        if not self._place.done():  # else it was cancelled at this moment, and leaves next
            self._place.set_result(None)

    def leave(self) -> None:
        """Give up what it has, its place or its wait for one; may be called twice."""
        if self._is_over:
            return
        self._is_over = True
        if self._began is None:
            self._admission.count_waiting(self._line, -1, -self._tokens, self._tenant)
            if self in self._line.coming.of(self._tenant):
                self._line.coming.remove(self._tenant, self)
        else:
            self._admission.ended(self._tenant, time.monotonic() - self._began)
