"""What one call used: collected while it runs, recorded when it ends, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Any, get_args

import structlog

from contracts.models.versions import ModelVersion
from contracts.operations.operation import MeteredRoute
from gateway.auth.keys import Principal
from gateway.limits.admission import Admission
from gateway.limits.errors import CallTooLarge, LimitReached, LimitsUnavailable, PriceUnknown
from gateway.limits.reservations import NO_USAGE, MaxUsage, Reservation
from gateway.metrics import CALLS, COST, FIRST_TOKEN, OVERHEAD, TOKENS, UNPRICED
from gateway.models.catalog import Catalog
from gateway.models.cost import NANO, sum_costs
from gateway.routing.split import Assignment
from gateway.usage.bounded_labels import BoundedLabels
from gateway.usage.ledger import UsageLedger
from gateway.usage.records import CUT, ReservationRecord, Tokens, UsageRecord, kept_name
from servicekit.core.clock import Clock
from servicekit.core.errors import CLIENT_CLOSED, ServiceError
from servicekit.core.identifiers import new_id
from servicekit.peers.client import PeerStream

log = structlog.get_logger(__name__)
Route = MeteredRoute
ROUTES: tuple[Route, ...] = get_args(Route)
COMMIT_SECONDS = 2.0
SLOT_SECONDS = 0.25
"""How long an answer's last byte waits for its slot to be free: a Redis that is away must not hold it up."""
SETTLE_SECONDS = 5.0
NOT_LET_IN = (LimitReached, LimitsUnavailable, CallTooLarge, PriceUnknown)
"""A call that ends with one of these was refused before it began, and writes no row."""


class Meter:
    """Opens metered calls and knows how many are open."""

    def __init__(
        self, ledger: UsageLedger, admission: Admission, catalog: Catalog, clock: Clock, tenants: BoundedLabels
    ) -> None:
        self.ledger = ledger
        self.tenants = tenants
        self.admission = admission
        self._catalog = catalog
        self._clock = clock
        self._open = 0
        self._inner: dict[str, _InnerCalls] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def call(self, principal: Principal, route: Route, request_id: str, parent_id: str | None = None) -> MeteredCall:
        """A call to be metered; use it as an async context manager."""
        return MeteredCall(self, principal, route, request_id, parent_id, self._clock.now())

    def opened(self, parent_id: str | None) -> None:
        """A call has begun, inside another one or not."""
        self._open += 1
        self._idle.clear()
        if parent_id is not None:
            self._inner.setdefault(parent_id, _InnerCalls()).open += 1

    @property
    def is_idle(self) -> bool:
        """Whether no call is open."""
        return self._open == 0

    def closed(self, parent_id: str | None) -> None:
        """A call has ended and its row is queued; of one inside another call, committed."""
        self._open -= 1
        if self._open == 0:
            self._idle.set()
        if parent_id is not None:
            inner = self._inner[parent_id]
            inner.open -= 1
            if inner.open == 0:
                del self._inner[parent_id]
                inner.ended.set()

    async def wait_for_inner(self, parent_id: str, seconds: float) -> None:
        """Wait until no call inside this one is open here any more, but not longer."""
        if (inner := self._inner.get(parent_id)) is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(inner.ended.wait(), seconds)

    async def wait_until_idle(self) -> None:
        """Wait, for a bounded time, until every call that was cut off has queued its row."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.error("calls still open at shutdown", calls=self._open)

    def now(self) -> datetime:
        """The present moment."""
        return self._clock.now()

    def label(self, model: str | None) -> str:
        """The metric label of a model."""
        return self._catalog.label(model)


@dataclass(slots=True)
class _InnerCalls:
    """The calls inside one call: how many are open here, and the event that says when none is."""

    open: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class MeteredCall:
    """One call. Set `model`, `status`, tokens and cost as they become known; leaving the block records them.

    `reserve` comes before each attempt at an upstream; `abandon_attempt` ends one that another will follow. Tokens and
    cost are always those of the attempt that runs.
    """

    def __init__(
        self, meter: Meter, principal: Principal, route: Route, request_id: str, parent_id: str | None, now: datetime
    ) -> None:
        self.id = new_id("call")
        self.principal = principal
        self.route = route
        self.request_id = request_id
        self.parent_id = parent_id
        self.model: str | None = None
        self.embedded: Mapping[str, int] = {}
        """A search's embedding tokens by model; those of other calls are their model's."""
        self.answered_by = ModelVersion()
        self.prompt: str | None = None
        """The version of the prompt that the model was asked by: `greeting@3`."""
        self.assignment: Assignment | None = None
        """Which variant of a route that is split this call was drawn for."""
        self.attempt = 1
        self.cache = "bypass"
        self.status = 200
        self.error_type: str | None = None
        self.streamed = False
        self.tokens = Tokens()
        self.cost: int | None = 0
        self.estimated = False
        self.reported: Mapping[str, Any] | None = None  # reported with this attempt's failure: it is paid
        self.on_end: Callable[[MeteredCall, UsageRecord | None, tuple[str, str] | None], None] | None = None
        """Told when the call ends: its row, none if it was not let in, and the code and message of what ended it."""
        self.started_at = now
        self._meter = meter
        self._began = time.perf_counter()
        self._waited = 0.0
        self._written: asyncio.Future[None] | None = None
        self._recorded = False
        self._abandoned: tuple[Tokens, int | None] = Tokens(), 0
        self._opened: Reservation | None = None
        self._reserved: Reservation | None = None
        self._has_reservation = self._only_entered = False

    async def __aenter__(self) -> MeteredCall:
        self._meter.opened(self.parent_id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._fail(error)
            self._settle(refused=self._only_entered and isinstance(error, NOT_LET_IN))
            let_in = self._has_reservation or self.attempt > 1 or not isinstance(error, NOT_LET_IN)
            row = self._as_record(time.perf_counter() - self._began) if let_in else None
            if self.on_end is not None:
                self.on_end(self, row, self._end_of(error))
            if self._written is None:
                await self._record(row, in_ledger=let_in)
                if self.parent_id is not None:
                    await self.commit()  # whoever made it may ask at once what it has used
        finally:
            self._meter.closed(self.parent_id)

    @property
    def attempt_id(self) -> str:
        """Of the attempt that runs: of its reservation and its row."""
        return self.id if self.attempt == 1 else f"{self.id}.{self.attempt}"

    @property
    def spent(self) -> tuple[Tokens, int | None]:
        """Tokens and cost of all attempts so far."""
        before, cost = self._abandoned
        return before.plus(self.tokens), sum_costs(cost, self.cost)

    @property
    def is_reserved(self) -> bool:
        """Whether the call has passed the limits."""
        return self._opened is not None

    async def ask(self, max_usage: MaxUsage) -> Mapping[str, str]:
        """Pass all limits as with `reserve`, but keep only the call's own slot: what it uses is charged to the calls
        inside it, or later."""
        headers = await self.reserve(max_usage, hold=False)
        self._end_attempt(ends_call=False)
        return headers

    async def enter(self) -> Mapping[str, str]:
        """Take the call's request and slot, before its body tells what it may use; the headers that say how they stand.

        If what it may use is refused then, it has used up no request.
        """
        self._opened = await self._meter.admission.reserve(
            self.principal, self.id, NO_USAGE, self.started_at, opens_call=True
        )
        self._only_entered = True
        return self._opened.headers

    async def reserve(self, max_usage: MaxUsage = NO_USAGE, *, hold: bool = True) -> Mapping[str, str]:
        """Pass all limits, charged with what the next attempt may use at most; the headers that tell how they stand.

        Raises what the first limit that refuses has to say. What can cost money is also in the ledger when this
        returns; raises `LedgerUnavailable` if that can't be.
        """
        opens_call = self.parent_id is None and self._opened is None
        self._reserved = await self._meter.admission.reserve(
            self.principal, self.attempt_id, max_usage, self.started_at, opens_call=opens_call
        )
        self._opened, self._only_entered = self._opened or self._reserved, False
        if hold and max_usage.cost != 0:
            self._has_reservation = True
            with self.waiting():
                await self._meter.ledger.reserve(self._as_reservation(max_usage))
        elif hold and self.parent_id is not None and max_usage.completion_tokens:
            self._has_reservation = True  # it costs nothing, but a receipt on another replica waits for its tokens
            await self._meter.ledger.reserve_later(self._as_reservation(max_usage))
        return self._reserved.headers

    async def abandon_attempt(self, status: int, error_type: str) -> None:
        """This attempt has failed and another one follows: it becomes a row of its own, and gives back what it held."""
        failed = self._as_record(time.perf_counter() - self._began, is_last=False)
        failed = replace(failed, parent_id=self.parent_id or self.id, status=status, error_type=error_type)
        self._count_tokens()
        self._abandoned = self.spent
        self._end_attempt(ends_call=False)
        self.attempt += 1  # before anything waits: a client that leaves meanwhile must not have it counted twice
        self.tokens, self.cost, self.estimated, self.reported, self._has_reservation = Tokens(), 0, False, None, False
        await self._meter.ledger.record(failed)

    async def finish(self) -> None:
        """Everything is known; call it before the last byte goes out, so that whoever waits for that finds the slot
        free, and a call inside another counted."""
        if self.parent_id is not None:
            await self.commit()
        if any(held is not None and held.has_slot for held in (self._opened, self._reserved)):
            await asyncio.wait(self._settle(), timeout=SLOT_SECONDS)

    def _settle(self, *, refused: bool = False) -> set[asyncio.Task[None]]:
        """Give back all that is still held, in the background."""
        tasks = self._end_attempt(ends_call=self._opened is self._reserved)
        if self._opened is not None:  # an earlier attempt holds the call's own slot
            tasks.add(self._meter.admission.leave(self._opened, refused=refused))
        self._opened = None
        return tasks

    def _end_attempt(self, *, ends_call: bool) -> set[asyncio.Task[None]]:
        reserved, self._reserved = self._reserved, None
        if reserved is None:
            return set()
        if ends_call:
            self._opened = None
        return {self._meter.admission.settle(reserved, self.tokens.total, self.cost, ends_call=ends_call)}

    def add_cost(self, cost: int | None) -> None:
        """Add a part's cost; once one part is unknown, so is the whole."""
        self.cost = sum_costs(self.cost, cost)

    def bill_as_reserved(self) -> None:
        """Nobody will tell what this attempt has used: it counts with what it was let in for."""
        max_usage = NO_USAGE if self._reserved is None else self._reserved.max_usage
        self.tokens = Tokens(max_usage.prompt_tokens, max_usage.completion_tokens, max_usage.embedding_tokens)
        self.cost, self.estimated = max_usage.cost, True

    async def commit(self) -> None:
        """Record now and wait until the row is committed: whoever asks for the sum next finds it.

        The wait is bounded; a database that is away must not hold up an answer.
        """
        if self._written is None and not self._recorded:
            await self._record(None, in_ledger=True)
        if self._written is not None:
            await self._meter.ledger.wait_for(self._written, COMMIT_SECONDS)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent in this block is not the gateway's own."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._waited += time.perf_counter() - started

    async def pieces_of(self, stream: PeerStream) -> AsyncGenerator[bytes, None]:
        """A stream's pieces, the waits for them not counted as our own time."""
        pieces = stream.pieces()
        while True:
            with self.waiting():
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece

    def first_piece(self) -> None:
        """The first byte of a streamed answer goes out now."""
        FIRST_TOKEN.labels(self.route).observe(time.perf_counter() - self._began)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, ServiceError):
            self.status, self.error_type = error.http_status, error.body(None).type
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            inner = self.parent_id is not None
            self.status, self.error_type = (200, CUT) if inner else (CLIENT_CLOSED, "client_disconnected")
        else:
            self.status, self.error_type = 500, "internal"

    def _end_of(self, error: BaseException | None) -> tuple[str, str] | None:
        if isinstance(error, ServiceError):
            return error.code, error.message
        return None if self.error_type is None else (self.error_type, "")

    async def _record(self, row: UsageRecord | None, *, in_ledger: bool) -> None:
        self._recorded = True
        seconds = time.perf_counter() - self._began
        CALLS.labels(self.route, str(self.status), self.error_type or "none").inc()
        OVERHEAD.labels(self.route).observe(max(0.0, seconds - self._waited))
        self._count_tokens()
        if in_ledger:
            self._written = await self._meter.ledger.record(row or self._as_record(seconds))

    def _count_tokens(self) -> None:
        label, tokens = self._meter.label(self.model), self.tokens
        tenant = self._meter.tenants.of(self.principal.tenant)
        if tokens.prompt:
            TOKENS.labels(label, "prompt", tenant).inc(tokens.prompt)
        if tokens.completion:
            TOKENS.labels(label, "completion", tenant).inc(tokens.completion)
        embedded: Sequence[tuple[str | None, int]] = [*self.embedded.items()] or [(self.model, tokens.embedding)]
        for embedder, read in embedded:
            if read:
                TOKENS.labels(self._meter.label(embedder), "embedding", tenant).inc(read)
        if self.cost is None:
            UNPRICED.labels(label).inc()
        elif self.cost:
            COST.labels(label, tenant).inc(float(self.cost * NANO))

    def _as_reservation(self, max_usage: MaxUsage) -> ReservationRecord:
        return ReservationRecord(
            id=self.attempt_id,
            parent_id=self.parent_id,
            request_id=self.request_id,
            key_id=self.principal.key_id,
            tenant=self.principal.tenant,
            route=self.route,
            model=kept_name(self.model),
            attempt=self.attempt,
            prompt_tokens=max_usage.prompt_tokens,
            completion_tokens=max_usage.completion_tokens,
            embedding_tokens=max_usage.embedding_tokens,
            cost_nano_usd=max_usage.cost,
            started_at=self.started_at,
        )

    def _as_record(self, seconds: float, *, is_last: bool = True) -> UsageRecord:
        return UsageRecord(
            id=self.attempt_id,
            attempt=self.attempt,
            cache=self.cache,
            parent_id=self.parent_id,
            request_id=self.request_id,
            key_id=self.principal.key_id,
            tenant=self.principal.tenant,
            route=self.route,
            model=kept_name(self.model),
            prompt_tokens=self.tokens.prompt,
            completion_tokens=self.tokens.completion,
            embedding_tokens=self.tokens.embedding,
            cached_tokens=self.tokens.cached,
            reasoning_tokens=self.tokens.reasoning,
            cost_nano_usd=self.cost,
            status=self.status,
            error_type=self.error_type,
            streamed=self.streamed,
            estimated=self.estimated,
            started_at=self.started_at,
            ms=round(seconds * 1000),
            **(self.assignment.outcome(self.model, self.error_type) if self.assignment and is_last else {}),
        )
