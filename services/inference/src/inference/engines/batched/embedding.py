"""The in-process embedding engine: an encoder with a worker pool for queries and one for bulk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from inference.engines.batched.worker_pool import WorkerPool, WorkerPoolLimits
from inference.engines.file_tokens import FileTokens
from inference.errors import ModelNotReady
from inference.metrics import TRUNCATED
from inference.protocol.engines import NO_EXTRA_FIELDS, EmbeddingResult, Encoder, ExtraFields, Priority
from inference.protocol.prefixes import Prefixes
from inference.protocol.tokens import TokenCodec
from inference.queueing.batches import Job
from inference.queueing.fair_queue import caller_is_bulk, caller_tenant
from inference.requests.generation_request import reject_unknown_fields

PROBE_TEXT = "Are you there?"
PRIORITIES: tuple[Priority, ...] = ("query", "bulk")


class BatchedEmbedding:
    """An `EmbeddingEngine` over an `Encoder`. Texts of all calls of a priority are batched; see `TextQueue`."""

    def __init__(
        self, model: str, encoder: Encoder, *, dimensions: int, max_input_tokens: int, limits: WorkerPoolLimits
    ) -> None:
        self._model = model
        self._encoder = encoder
        self._dimensions = dimensions
        self._limit = max_input_tokens
        self._tokens = FileTokens(encoder.tokenizer)
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self.pools: dict[Priority, WorkerPool] = {
            priority: WorkerPool(
                model, priority, encoder, limits, self._settle, partial(self.embed, [PROBE_TEXT], priority)
            )
            for priority in PRIORITIES
        }

    async def open(self) -> None:
        """Load, then encode something, so that the first caller finds a warm model."""
        await self.pools["query"].run(self._encoder.open)
        for pool in self.pools.values():
            pool.start()
        await self.probe()

    async def close(self) -> None:
        """Fail what waits, end the threads after the batches that they are at, and free the model; it may be opened
        again."""
        for pool in self.pools.values():
            await pool.close()
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(ModelNotReady(self._model, "it is shutting down"))
        self._encoder.close()

    async def probe(self) -> None:
        """Raise unless it embeds, whatever the priority."""
        for pool in self.pools.values():
            await pool.liveness.check()

    def tokenizer(self) -> bytes | None:
        """The encoder's."""
        return self._encoder.tokenizer()

    def tokens(self) -> TokenCodec | None:
        """By the encoder's tokenizer."""
        return self._tokens

    def prefixes(self) -> Prefixes:
        """The encoder's."""
        return self._encoder.prefixes()

    async def embed(
        self, texts: Sequence[str], priority: Priority, extra: ExtraFields = NO_EXTRA_FIELDS
    ) -> EmbeddingResult:
        """Vectors of the texts, a bulk caller's behind all others'; raises `ModelBusy` when too much waits."""
        reject_unknown_fields(extra)
        pool = self.pools["bulk" if caller_is_bulk() else priority]
        lengths = await pool.lengths(texts)
        truncated = sum(length > self._limit for length in lengths)
        job = Job(texts, [min(length, self._limit) for length in lengths], self._dimensions, caller_tenant())
        pool.add(job)
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[id(job)] = waiter
        try:
            await waiter
        finally:
            job.abandoned = True  # a caller that left is no longer worked for
            del self._waiters[id(job)]
        if truncated:
            TRUNCATED.labels(self._model).inc(truncated)
        return EmbeddingResult(job.vectors, job.tokens, truncated)

    def _settle(self, job: Job, failure: Exception | None) -> None:
        job.abandoned = True
        waiter = self._waiters.get(id(job))
        if waiter is None or waiter.done():
            return
        if failure is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(failure)
