"""An embedding engine that takes memory from its first call on: what nobody asks for costs nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from inference.errors import CannotLoad, ModelBusy, ModelNotReady
from inference.protocol.engines import NO_EXTRA_FIELDS, EmbeddingEngine, EmbeddingResult, ExtraFields, Priority
from inference.protocol.prefixes import Prefixes
from inference.protocol.tokens import TokenCodec

log = structlog.get_logger(__name__)
LOADING_SECONDS = 60.0
"""How long a call waits for the model; loading goes on, and a later call finds it."""
RETRY_SECONDS = 30.0
"""After a failure, how long calls are told of it before loading is tried again."""
MOST_WAITING = 256
"""Calls that wait for it to be loaded; those beyond are told to come back."""


class OnDemandEmbedding:
    """An `EmbeddingEngine` whose inner one is opened by the first call; calls that come meanwhile wait for it."""

    def __init__(
        self,
        model: str,
        inner: EmbeddingEngine,
        *,
        check: Callable[[], None],
        loading_seconds: float = LOADING_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`check` raises `CannotLoad` where the model can't be had at all; it blocks."""
        self._model = model
        self._inner = inner
        self._check = check
        self._loading_seconds = loading_seconds
        self._retry_seconds = retry_seconds
        self._loading: asyncio.Task[None] | None = None
        self._failed_at = 0.0
        self._waiting = 0

    @property
    def is_loaded(self) -> bool:
        """Whether it takes memory and answers."""
        task = self._loading
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    async def open(self) -> None:
        """See that the model is there, without loading it."""
        await asyncio.to_thread(self._check)

    async def close(self) -> None:
        """Stop work; what is being loaded is waited for, since a thread can't be stopped."""
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)
        await self._inner.close()

    async def probe(self) -> None:
        """Raise unless it answers, or would be loaded by a call; it is not loaded for this."""
        if self.is_loaded:
            await self._inner.probe()
        elif (failure := self.failure) is not None:
            raise failure

    def tokenizer(self) -> bytes | None:
        """The inner engine's; None before the first call."""
        return self._inner.tokenizer() if self.is_loaded else None

    def tokens(self) -> TokenCodec | None:
        """The inner engine's."""
        return self._inner.tokens()

    def prefixes(self) -> Prefixes:
        """The inner engine's."""
        return self._inner.prefixes()

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        """The inner engine's vectors; raises `ModelNotReady` where loading fails, or takes too long for a caller."""
        await self.load()
        return await self._inner.embed(texts, priority, extra)

    async def load(self) -> None:
        """Return when it is loaded, once for all who wait; raises `ModelNotReady` or `ModelBusy`."""
        if self.is_loaded:
            return
        if self._waiting >= MOST_WAITING:
            raise ModelBusy(self._model, 5.0)
        if self._loading is None or (self._loading.done() and time.monotonic() - self._failed_at > self._retry_seconds):
            self._loading = asyncio.create_task(self._load())
        self._waiting += 1
        try:
            async with asyncio.timeout(self._loading_seconds):
                await asyncio.shield(asyncio.gather(self._loading, return_exceptions=True))
        except TimeoutError:
            raise ModelNotReady(self._model, "it is being loaded, since it was not used before", 5.0) from None
        finally:
            self._waiting -= 1
        if (failure := self.failure) is not None:
            raise failure

    async def _load(self) -> None:
        started = time.monotonic()
        try:
            await self._inner.open()
        except Exception as error:
            self._failed_at = time.monotonic()
            log.exception("model failed to load", model=self._model, exc_info=error)
            raise
        log.info("model loaded by its first call", model=self._model, seconds=round(time.monotonic() - started, 1))

    @property
    def failure(self) -> ModelNotReady | None:
        """Why the last try to load it failed; None before the first, while one goes on, and once it is loaded."""
        if self._loading is None or not self._loading.done() or self.is_loaded:
            return None
        error = None if self._loading.cancelled() else self._loading.exception()
        if isinstance(error, CannotLoad):
            return ModelNotReady(self._model, f"it failed to load: {error}", self._retry_seconds, error.code)
        return ModelNotReady(self._model, "it failed to load; inference's log says why", self._retry_seconds)
