"""One chat call's attempts: retries, fallbacks and circuits, until an answer begins. Only the gateway retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from random import SystemRandom

import structlog

from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatRequest
from contracts.models.receipts import Attempt
from gateway.chat.answer_start import StartedAnswer, Upstream, start_answer
from gateway.chat.delivery import deliver
from gateway.chat.traces import ModelSpan
from gateway.metrics import FALLBACKS
from gateway.routing.circuit_breaker import Breakers
from gateway.routing.errors import CircuitsOpen
from gateway.routing.plan import Failure, FallbackSequence, Plan
from gateway.streaming.exchange import Exchange
from gateway.streaming.observer import StreamObserver
from gateway.usage.meter import MeteredCall
from servicekit.core.errors import PeerError, ServiceError, UpstreamTimeout
from servicekit.telemetry.spans import model_call

log = structlog.get_logger(__name__)
CONTEXT_OVERFLOW = frozenset(("context_length_exceeded",))
REFUSALS = frozenset(("content_filter", "content_policy_violation"))
BUSY = 429
PASSING = frozenset((BUSY, 502, 503))
"""Statuses after which the same model may answer a moment later."""
BACKOFF_SECONDS = 0.1
_RANDOM = SystemRandom()
ATTEMPTS_HEADER = "X-Groundwork-Attempts"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`times`: attempts at one model. `seconds`: no further attempt begins after this time."""

    times: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AttemptRequest:
    """What an attempt at a model takes: to pass the limits, the request for it, and the observer of its answer."""

    reserve: Callable[[ModelInfo], Awaitable[None]]
    request: Callable[[ModelInfo], ChatRequest]
    observer: Callable[[ModelInfo], StreamObserver]
    upstream: Upstream


@dataclass(slots=True)
class Attempts:
    """The attempts of one call, as its receipt lists them."""

    plan: Plan
    breakers: Breakers
    rules: RetryPolicy
    done: list[Attempt] = field(default_factory=list)
    until: float = 0.0

    async def answer(
        self, exchange: Exchange, call: MeteredCall, sequence: FallbackSequence, attempt: AttemptRequest
    ) -> None:
        """Try until one model's answer has begun, then pass that on. Raises the last failure when none has."""
        self.until = time.monotonic() + self.rules.seconds
        failure: ServiceError | None = None
        tries = 0
        while sequence.model is not None:
            model = sequence.model
            if not await self.breakers.allow(model.id):
                self._note(model, "circuit_open", 0.0)
                failure = failure or CircuitsOpen(self.plan.name, 1.0)
                if sequence.after("error") is None:
                    raise failure
                FALLBACKS.labels("circuit_open").inc()
                tries = 0
                continue
            if failure is not None and not isinstance(failure, CircuitsOpen):
                await call.abandon_attempt(failure.http_status, failure.body(None).type)
            tries += 1
            failure = await self._traced(exchange, call, sequence, attempt)
            if failure is None:
                return
            if not await self._go_on(sequence, failure, tries):
                raise failure
            tries = tries if sequence.model is model else 0

    async def _traced(
        self, exchange: Exchange, call: MeteredCall, sequence: FallbackSequence, attempt: AttemptRequest
    ) -> ServiceError | None:
        """An attempt as a span."""
        with model_call("chat", sequence.current) as span:
            shown = ModelSpan(span, call)
            try:
                failure = await self._attempt(exchange, call, sequence, attempt, shown)
            finally:
                shown.end()
            if failure is not None:
                span.fail(failure)
        return failure

    async def _attempt(
        self,
        exchange: Exchange,
        call: MeteredCall,
        sequence: FallbackSequence,
        attempt: AttemptRequest,
        span: ModelSpan,
    ) -> ServiceError | None:
        """One attempt, passed on if its answer has begun; what went wrong before that."""
        model = sequence.model
        assert model is not None
        call.model = model.id
        await self._reserve(model, attempt)
        request = attempt.request(model)
        observer = span.watch(attempt.observer(model), request)
        started = time.perf_counter()
        async with AsyncExitStack() as stack:
            try:
                opened = await start_answer(call, attempt.upstream, request, stack)
            except asyncio.CancelledError:
                observer.cut_off()
                observer.close()
                self.breakers.undecided(model.id)
                raise
            except ServiceError as error:
                call.reported = error.usage
                return self._failed(model, observer, error, started)
            seconds = time.perf_counter() - started
            span.began(seconds)
            self.breakers.succeeded(model.id, seconds)
            if opened.refused and self._has_after_refusal(sequence):
                await self._read_refusal(observer, opened)
                self._note(model, "refused", seconds)
                return _Refused()
            self._note(model, "ok", seconds)
            call.answered_by = replace(call.answered_by, model=model.id)
            exchange.headers.update({**call.answered_by.headers(), ATTEMPTS_HEADER: str(len(self.done))})
            broken = await deliver(exchange, call, opened, observer)
            if broken is not None and broken.http_status >= 500:  # not a guardrail's no, nor a key's end
                self.breakers.failed(model.id)
        return None

    async def _reserve(self, model: ModelInfo, attempt: AttemptRequest) -> None:
        try:
            await attempt.reserve(model)
        except BaseException:
            self.breakers.undecided(model.id)
            raise

    def _failed(self, model: ModelInfo, observer: StreamObserver, error: ServiceError, started: float) -> ServiceError:
        if isinstance(error, UpstreamTimeout):
            observer.cut_off()  # it has worked, and will be paid for it
        observer.close()
        self._note(model, error.code, time.perf_counter() - started)
        if error.http_status >= 500:
            self.breakers.failed(model.id)
        else:
            self.breakers.undecided(model.id)
        return error

    def _has_after_refusal(self, sequence: FallbackSequence) -> bool:
        return any(not sequence.has_tried(model) for model in self.plan.after.get("refusal", ()))

    async def _read_refusal(self, observer: StreamObserver, opened: StartedAnswer) -> None:
        """Take what a refusal cost; nobody sees it."""
        if opened.pieces is None:
            await observer.whole(opened.body)
        for frame in opened.frames:
            await observer.frame(frame)
        observer.close()

    async def _go_on(self, sequence: FallbackSequence, failure: ServiceError, tries: int) -> bool:
        """Whether there is another attempt: at the same model after a pause, or at the next one."""
        kind = failure_kind(failure)
        if kind is None:
            return False
        if kind == "error" and failure.http_status in PASSING and tries < self.rules.times:
            pause = pause_before(tries, failure)
            if time.monotonic() + pause <= self.until and not self.breakers.is_tripped(sequence.current):
                FALLBACKS.labels("retry").inc()
                await asyncio.sleep(pause)
                return True
        if time.monotonic() > self.until or sequence.after(kind) is None:
            return False
        FALLBACKS.labels(kind).inc()
        log.info("fallback", reason=kind, code=failure.code, route=self.plan.name, model=sequence.current)
        return True

    def _note(self, model: ModelInfo, outcome: str, seconds: float) -> None:
        self.done.append(Attempt(model=model.id, upstream="inference", outcome=outcome, ms=round(seconds * 1000, 1)))


class _Refused(ServiceError):
    """A refusal that another model is asked after; never shown."""

    status, type, code = 400, "content_blocked", "content_filter"

    def __init__(self) -> None:
        super().__init__("The model refused to answer.")


def failure_kind(error: ServiceError) -> Failure | None:
    """What may help after an error: nothing, where the caller has to change the request."""
    if error.code in CONTEXT_OVERFLOW:
        return "context_overflow"
    if error.code in REFUSALS or error.body(None).type == "content_blocked":
        return "refusal"
    return "error" if error.http_status >= 500 or error.http_status == BUSY else None


def pause_before(tries: int, failure: ServiceError) -> float:
    """Seconds before the next attempt at the same model: what it asked for, else twice as long each time, by chance
    up to a half more, so that callers who failed together don't come back together."""
    if isinstance(failure, PeerError) and failure.retry_after is not None:
        return failure.retry_after
    return BACKOFF_SECONDS * 2.0 ** (tries - 1) * _RANDOM.uniform(1.0, 1.5)
