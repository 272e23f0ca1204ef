"""The in-process embedding engine: an encoder in threads of its own, each fed batch by batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from inference.batching import Batches, Item, Job, QueueBound, finished
from inference.errors import ModelBusy, ModelNotReady
from inference.liveness import Liveness
from inference.metrics import BATCH_INPUTS, REJECTED, TRUNCATED, WAITING
from inference.ports import Embedded, Encoder, Priority
from servicekit.errors import Internal

log = structlog.get_logger(__name__)
PROBE_TEXT = "Are you there?"
FIRST_GUESS_TOKENS_PER_SECOND = 4000.0
"""Of one worker."""
WEIGHT_OF_LAST = 0.2
TELLING_TOKENS = 100  # a smaller batch says more of its overhead than of the speed


class EncodingFailed(Internal):
    """The model failed on a batch."""

    code = "encoding_failed"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model}' failed on this input. Its log says why; give your operator the request id."
        )


class BatchedEmbedding:
    """An `EmbeddingEngine` over an `Encoder`. Texts of all calls are batched together; see `Batches`."""

    def __init__(
        self,
        model: str,
        encoder: Encoder,
        *,
        dimensions: int,
        max_input_tokens: int,
        workers: int = 1,
        batch_tokens: int,
        batch_seconds: float,
        waiting_tokens: int,
        fresh_seconds: float,
        stalled_seconds: float,
    ) -> None:
        self._model = model
        self._encoder = encoder
        self._dimensions = dimensions
        self._limit = max_input_tokens
        self._most_tokens = batch_tokens
        self._batch_seconds = batch_seconds
        self._batches = Batches(waiting_tokens)
        self._done: dict[int, asyncio.Future[None]] = {}
        self._wake = asyncio.Event()
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"embed-{model}")
        self._working: list[asyncio.Task[None]] = []
        self._encoding = 0
        self._rate = FIRST_GUESS_TOKENS_PER_SECOND
        self._liveness = Liveness(
            model,
            ask=lambda: self.embed([PROBE_TEXT], "query"),
            busy=lambda: self._encoding > 0,
            fresh_seconds=fresh_seconds,
            stalled_seconds=stalled_seconds,
        )

    async def open(self) -> None:
        """Load, then encode something, so that the first caller finds a warm model."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._encoder.open)
        self._working = [asyncio.create_task(self._work()) for _ in range(self._workers)]
        await self.embed([PROBE_TEXT], "query")

    async def close(self) -> None:
        """Fail what waits and end the thread after the batch that it is at."""
        await self._liveness.close()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        for waiter in self._done.values():
            if not waiter.done():
                waiter.set_exception(ModelNotReady(self._model, "it is shutting down"))
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def probe(self) -> None:
        """Raise unless it embeds."""
        await self._liveness.check()

    def tokenizer(self) -> bytes | None:
        """The encoder's."""
        return self._encoder.tokenizer()

    async def embed(self, texts: Sequence[str], priority: Priority) -> Embedded:
        """Vectors of the texts; raises `ModelBusy` when too much waits."""
        lengths = await asyncio.to_thread(self._encoder.lengths, texts)
        truncated = sum(length > self._limit for length in lengths)
        job = Job(texts, [min(length, self._limit) for length in lengths], self._dimensions)
        waiter = self._enqueue(job, priority)
        try:
            await waiter
        finally:
            job.abandoned = True  # a caller that left is no longer worked for
            del self._done[id(job)]
        if truncated:
            TRUNCATED.labels(self._model).inc(truncated)
        return Embedded(job.vectors, job.tokens, truncated)

    def _enqueue(self, job: Job, priority: Priority) -> asyncio.Future[None]:
        try:
            self._batches.add(job, priority)
        except QueueBound as bound:
            REJECTED.labels(self._model).inc()
            raise ModelBusy(self._model, retry_after=self._seconds(bound.waiting)) from None
        waiter = asyncio.get_running_loop().create_future()
        self._done[id(job)] = waiter
        WAITING.labels(self._model).set(self._batches.inputs)
        self._wake.set()
        return waiter

    async def _work(self) -> None:
        while True:
            items = self._batches.next(self._budget())
            WAITING.labels(self._model).set(self._batches.inputs)
            if not items:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._encode(items)

    def _seconds(self, tokens: int) -> float:
        return tokens / (self._rate * self._workers)

    def _budget(self) -> int:
        """Tokens that take a worker about `batch_seconds` now: a query that comes meanwhile waits no longer."""
        return min(self._most_tokens, round(self._rate * self._batch_seconds))

    async def _encode(self, items: list[Item]) -> None:
        started = time.monotonic()
        self._encoding += 1
        try:
            loop = asyncio.get_running_loop()
            vectors = await loop.run_in_executor(self._threads, self._encoder.encode, [item.text for item in items])
        except Exception as error:  # the engine's outermost loop: one bad batch must not end it
            log.exception("batch failed", model=self._model, inputs=len(items), exc_info=error)
            for job in {id(item.job): item.job for item in items}.values():
                self._settle(job, EncodingFailed(self._model))
            return
        finally:
            self._encoding -= 1
        self._liveness.progressed()
        BATCH_INPUTS.labels(self._model).observe(len(items))
        tokens = sum(item.tokens for item in items)
        if tokens >= TELLING_TOKENS:
            self._rate += WEIGHT_OF_LAST * (tokens / max(time.monotonic() - started, 1e-6) - self._rate)
        for job in finished(items, vectors):
            self._settle(job, None)

    def _settle(self, job: Job, failure: Exception | None) -> None:
        job.abandoned = True
        waiter = self._done.get(id(job))
        if waiter is None or waiter.done():
            return
        if failure is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(failure)
