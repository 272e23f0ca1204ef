"""What one call used: collected while it runs, recorded when it ends, however it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Literal

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import LimitsUnavailable, TooManyRequests
from gateway.keys import Principal
from gateway.metrics import CALLS, COST, FIRST_TOKEN, OVERHEAD, TOKENS, UNPRICED
from gateway.pricing import NANO, sum_costs
from gateway.usage_ledger import UsageLedger, UsageRecord
from servicekit.clock import Clock
from servicekit.errors import CLIENT_CLOSED, ServiceError
from servicekit.http import PeerStream
from servicekit.identifiers import new_id

log = structlog.get_logger(__name__)
Route = Literal["chat", "embeddings", "rerank", "search", "documents", "collections", "jobs"]
ROUTES: tuple[Route, ...] = ("chat", "embeddings", "rerank", "search", "documents", "collections", "jobs")
COMMIT_SECONDS = 2.0
SETTLE_SECONDS = 5.0


class Meter:
    """Opens metered calls and knows how many are open."""

    def __init__(self, ledger: UsageLedger, catalogue: Catalogue, clock: Clock) -> None:
        self.ledger = ledger
        self._catalogue = catalogue
        self._clock = clock
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def call(self, principal: Principal, route: Route, request_id: str, parent_id: str | None = None) -> MeteredCall:
        """A call to be metered; use it as an async context manager."""
        return MeteredCall(self, principal, route, request_id, parent_id, self._clock.now())

    def opened(self) -> None:
        """A call has begun."""
        self._open += 1
        self._idle.clear()

    def closed(self) -> None:
        """A call has ended and its row is queued."""
        self._open -= 1
        if self._open == 0:
            self._idle.set()

    async def wait_until_idle(self) -> None:
        """Wait, for a bounded time, until every call that was cut off has queued its row."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.error("calls still open at shutdown", calls=self._open)

    def label(self, model: str | None) -> str:
        """The metric label of a model."""
        return self._catalogue.label(model)


@dataclass(slots=True)
class Tokens:
    """Tokens of one call, by kind."""

    prompt: int = 0
    completion: int = 0
    embedding: int = 0


class MeteredCall:
    """One call. Set `model`, `status`, tokens and cost as they become known; leaving the block records them."""

    def __init__(
        self, meter: Meter, principal: Principal, route: Route, request_id: str, parent_id: str | None, now: datetime
    ) -> None:
        self.id = new_id("call")
        self.principal = principal
        self.route = route
        self.request_id = request_id
        self.parent_id = parent_id
        self.model: str | None = None
        self.embedding_model: str | None = None
        self.status = 200
        self.error_type: str | None = None
        self.streamed = False
        self.tokens = Tokens()
        self.cost: int | None = 0
        self.estimated = False
        self._meter = meter
        self._started_at = now
        self._began = time.perf_counter()
        self._waited = 0.0
        self._written: asyncio.Future[None] | None = None

    async def __aenter__(self) -> MeteredCall:
        self._meter.opened()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._fail(error)
            if self._written is None:
                await self._record(in_ledger=not isinstance(error, TooManyRequests | LimitsUnavailable))
        finally:
            self._meter.closed()

    def add_cost(self, cost: int | None) -> None:
        """Add a part's cost; once one part is unknown, so is the whole."""
        self.cost = sum_costs(self.cost, cost)

    async def commit(self) -> None:
        """Record now and wait until the row is committed: whoever asks for the sum next finds it.

        The wait is bounded; a database that is away must not hold up an answer.
        """
        if self._written is None:
            await self._record(in_ledger=True)
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
            self.status, self.error_type = CLIENT_CLOSED, "client_disconnected"
        else:
            self.status, self.error_type = 500, "internal"

    async def _record(self, *, in_ledger: bool) -> None:
        seconds = time.perf_counter() - self._began
        CALLS.labels(self.route, str(self.status), self.error_type or "none").inc()
        OVERHEAD.labels(self.route).observe(max(0.0, seconds - self._waited))
        self._count_tokens()
        if in_ledger:
            self._written = await self._meter.ledger.record(self._as_record(seconds))

    def _count_tokens(self) -> None:
        label, tokens = self._meter.label(self.model), self.tokens
        if tokens.prompt:
            TOKENS.labels(label, "prompt").inc(tokens.prompt)
        if tokens.completion:
            TOKENS.labels(label, "completion").inc(tokens.completion)
        if tokens.embedding:
            TOKENS.labels(self._meter.label(self.embedding_model or self.model), "embedding").inc(tokens.embedding)
        if self.cost is None:
            UNPRICED.labels(label).inc()
        elif self.cost:
            COST.labels(label).inc(float(self.cost * NANO))

    def _as_record(self, seconds: float) -> UsageRecord:
        return UsageRecord(
            id=self.id,
            parent_id=self.parent_id,
            request_id=self.request_id,
            key_id=self.principal.key_id,
            tenant=self.principal.tenant,
            route=self.route,
            model=None if self.model is None else self.model[:200],
            prompt_tokens=self.tokens.prompt,
            completion_tokens=self.tokens.completion,
            embedding_tokens=self.tokens.embedding,
            cost_nano_usd=self.cost,
            status=self.status,
            error_type=self.error_type,
            streamed=self.streamed,
            estimated=self.estimated,
            started_at=self._started_at,
            ms=round(seconds * 1000),
        )
