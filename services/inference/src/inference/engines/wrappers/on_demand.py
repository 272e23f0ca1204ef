"""Engines that take memory from their first call on: what nobody asks for costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Generic, TypeVar

import structlog

from inference.engines.wrappers.places import Places
from inference.errors import CannotLoad, ModelBusy, ModelNotReady
from inference.protocol.engines import (
    NO_EXTRA_FIELDS,
    EmbeddingEngine,
    EmbeddingResult,
    Engine,
    ExtraFields,
    FeatureEngine,
    FeatureResult,
    Priority,
)
from inference.protocol.prefixes import Prefixes
from inference.protocol.tokens import TokenCodec

log = structlog.get_logger(__name__)
LOADING_SECONDS = 60.0
"""How long a call waits for the model; loading goes on, and a later call finds it."""
RETRY_SECONDS = 30.0
"""After a failure, how long calls are told of it before loading is tried again."""
MOST_WAITING = 256
"""Calls that wait for it to be loaded; those beyond are told to come back."""
ENDING_SECONDS = 60.0
"""How long it is kept for the calls that it answers when another has its place; those that take longer fail."""


class _Round:
    """From one loading until it is let go: the calls that wait for it or are answered."""

    def __init__(self) -> None:
        self.loading: asyncio.Task[None] | None = None
        self.failed_at = 0.0
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_loaded(self) -> bool:
        task = self.loading
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    @property
    def is_answering(self) -> bool:
        return bool(self._calls) or (self.loading is not None and not self.loading.done())

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def loaded(self) -> None:
        """Return when it is loaded or has failed, if that was begun."""
        if self.loading is not None:
            await asyncio.gather(self.loading, return_exceptions=True)

    async def ended(self) -> None:
        """Return when it answers no call, or one takes too long."""
        await self.loaded()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), ENDING_SECONDS)


AnyInner = TypeVar("AnyInner", bound=Engine)


class OnDemand(Generic[AnyInner]):
    """An engine whose inner one is opened by the first call; calls that come meanwhile wait for it.

    Where places are few, it is let go for another and opened anew by its next call.
    """

    def __init__(
        self,
        model: str,
        inner: AnyInner,
        *,
        check: Callable[[], None],
        places: Places | None = None,
        tenant: str | None = None,
        loading_seconds: float = LOADING_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`check` raises `CannotLoad` where the model can't be had at all; it blocks. Without `places` it stays once it
        is loaded; with them, of which those of a `tenant` are shared, `inner` is closed and opened again."""
        self._model = model
        self.tenant = tenant
        self._inner = inner
        self._check = check
        self._places = places
        self._loading_seconds = loading_seconds
        self._retry_seconds = retry_seconds
        self._round = _Round()
        self._waiting = 0

    @property
    def is_loaded(self) -> bool:
        """Whether it takes memory and answers."""
        return self._round.is_loaded

    @property
    def is_answering(self) -> bool:
        """Whether calls of it go on, or it is being loaded."""
        return self._round.is_answering

    async def open(self) -> None:
        """See that the model is there, without loading it."""
        await asyncio.to_thread(self._check)

    async def close(self) -> None:
        """Stop work; what is being loaded is waited for, since a thread can't be stopped."""
        await self._round.loaded()
        await self._inner.close()
        if self._places is not None:
            self._places.leave(self)

    async def let_go(self) -> None:
        """Free its memory, once the calls that it answers have ended; calls that come meanwhile have it loaded anew."""
        before, self._round = self._round, _Round()  # whose loading waits for a place until this has ended
        await before.ended()
        await self._inner.close()
        log.info("model let go for another", model=self._model)

    async def probe(self) -> None:
        """Raise unless it answers, or would be loaded by a call; it is not loaded for this."""
        now = self._round
        if now.is_loaded:
            with now.call():
                await self._inner.probe()
        elif (failure := self.failure) is not None:
            raise failure

    def tokenizer(self) -> bytes | None:
        """The inner engine's; None before the first call."""
        return self._inner.tokenizer() if self.is_loaded else None

    def tokens(self) -> TokenCodec | None:
        """The inner engine's."""
        return self._inner.tokens()

    async def load(self) -> None:
        """Return when it is loaded, once for all who wait; raises `ModelNotReady` or `ModelBusy`."""
        async with self._use():
            pass

    @contextlib.asynccontextmanager
    async def _use(self) -> AsyncIterator[None]:
        """A call of it, once it is loaded; raises `ModelNotReady` where loading fails, or takes too long for a
        caller."""
        now = self._to_use()
        try:
            with now.call():
                await self._loaded(now)
                yield
        finally:
            self._note_use()

    def _to_use(self) -> _Round:
        """What a call is a part of: a new one where the last failed some time ago."""
        now = self._round
        if self.failure is not None and time.monotonic() - now.failed_at > self._retry_seconds:
            now = self._round = _Round()
        self._note_use()
        return now

    def _note_use(self) -> None:
        if self._places is not None:
            self._places.asked(self)

    async def _loaded(self, now: _Round) -> None:
        if now.is_loaded:
            return
        if self._waiting >= MOST_WAITING:
            raise ModelBusy(self._model, 5.0)
        if now.loading is None:
            now.loading = asyncio.create_task(self._load(now))
        self._waiting += 1
        try:
            async with asyncio.timeout(self._loading_seconds):
                await asyncio.shield(asyncio.gather(now.loading, return_exceptions=True))
        except TimeoutError:
            raise ModelNotReady(self._model, "it is being loaded, since it was not used lately", 5.0) from None
        finally:
            self._waiting -= 1
        if (failure := self._failure_of(now)) is not None:
            raise failure

    async def _load(self, now: _Round) -> None:
        started = time.monotonic()
        try:
            if self._places is not None:
                await self._places.take(self)
            await self._inner.open()
        except Exception as error:
            now.failed_at = time.monotonic()
            log.exception("model failed to load", model=self._model, exc_info=error)
            await self._inner.close()
            if self._places is not None:
                self._places.leave(self)
            raise
        log.info("model loaded by a call", model=self._model, seconds=round(time.monotonic() - started, 1))

    @property
    def failure(self) -> ModelNotReady | None:
        """Why the last try to load it failed; None before the first, while one goes on, and once it is loaded."""
        return self._failure_of(self._round)

    def _failure_of(self, now: _Round) -> ModelNotReady | None:
        if now.loading is None or not now.loading.done() or now.is_loaded:
            return None
        error = None if now.loading.cancelled() else now.loading.exception()
        if isinstance(error, CannotLoad):
            return ModelNotReady(self._model, f"it failed to load: {error}", self._retry_seconds, error.code)
        return ModelNotReady(self._model, "it failed to load; inference's log says why", self._retry_seconds)


class OnDemandEmbedding(OnDemand[EmbeddingEngine]):
    """An `EmbeddingEngine`."""

    def prefixes(self) -> Prefixes:
        """The inner engine's."""
        return self._inner.prefixes()

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        """The inner engine's vectors; raises as `load`."""
        async with self._use():
            return await self._inner.embed(texts, priority, extra)


class OnDemandReading(OnDemand[FeatureEngine]):
    """A `FeatureReading`."""

    def has_features(self) -> bool:
        """Nothing else is had of it."""
        return True

    async def read_features(self, question: str, passages: Sequence[str], priority: Priority) -> FeatureResult:
        """The inner engine's; raises as `load`."""
        async with self._use():
            return await self._inner.read_features(question, passages, priority)
