"""Worker pools of an embedding engine: the queue of one priority, and the threads that work it off."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from inference.errors import ModelBusy
from inference.metrics import BATCH_INPUTS, REJECTED, WAITING
from inference.protocol.engines import Encoder, Priority
from inference.queueing.batches import Item, Job, QueueBound, TextQueue, finished
from inference.queueing.fair_queue import caller_tenant
from inference.queueing.liveness import Liveness
from inference.requests.generation_request import CHARACTERS_A_TOKEN
from servicekit.core.errors import Internal

log = structlog.get_logger(__name__)
FIRST_GUESS_TOKENS_PER_SECOND = 4000.0
"""Of one worker."""
WEIGHT_OF_LAST = 0.2
LEAST_MEASURED_TOKENS = 100  # a smaller batch says more of its overhead than of the speed
WORTH_SHARING_TOKENS = 128
"""Queries of fewer tokens are one batch: two smaller ones would take as long (0502)."""
NICENESS = 10
"""Of bulk's threads: beside a thread of normal priority such a one gets about a tenth of a core (sched(7))."""


class EncodingFailed(Internal):
    """The model failed on a batch."""

    code = "encoding_failed"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model}' failed on this input. Its log says why; give your operator the request id."
        )


@dataclass(frozen=True, slots=True)
class WorkerPoolLimits:
    """What a pool may take at once, and what may wait for it."""

    workers: int
    batch_tokens: int
    batch_seconds: float
    waiting_tokens: int
    fresh_seconds: float
    stalled_seconds: float


Settle = Callable[[Job, Exception | None], None]


class WorkerPool:
    """Works off the texts of one priority, batch by batch.

    A query is begun at once: its threads wait for none of bulk's. Bulk's threads give way to all others in the
    system's scheduling, so its batches may be as large as they are best.
    """

    def __init__(
        self,
        model: str,
        priority: Priority,
        encoder: Encoder,
        limits: WorkerPoolLimits,
        settle: Settle,
        ask: Callable[[], Awaitable[object]],
    ) -> None:
        self._model = model
        self._is_bulk = priority == "bulk"
        self._encoder = encoder
        self._limits = limits
        self._settle = settle
        self.queue = TextQueue(limits.waiting_tokens)
        self._reported = 0
        self._wake = asyncio.Event()
        self._executors()
        self._workers: list[asyncio.Task[None]] = []
        self._encoding = 0
        self._rate = FIRST_GUESS_TOKENS_PER_SECOND
        self.liveness = Liveness(
            model,
            ask=ask,
            busy=lambda: self._encoding > 0,
            fresh_seconds=limits.fresh_seconds,
            stalled_seconds=limits.stalled_seconds,
        )

    def _executors(self) -> None:
        """New ones; a thread begins with the first work."""
        name = f"{self._model}-{'bulk' if self._is_bulk else 'query'}"
        initializer = lower_priority if self._is_bulk else None
        self._threads = ThreadPoolExecutor(self._limits.workers, f"embed-{name}", initializer=initializer)
        self._tokenizing = ThreadPoolExecutor(1, f"measure-{name}")

    def start(self) -> None:
        """Begin to work; needs a running event loop."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._limits.workers)]

    async def run(self, work: Callable[[], None]) -> None:
        """Have one of its threads do something else first."""
        await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        """End the threads after the batches that they are at; it may be started again."""
        await self.liveness.close()
        self.liveness.invalidate()
        for task in self._workers:
            task.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for threads in (self._tokenizing, self._threads):
            threads.shutdown(wait=False, cancel_futures=True)
        self._workers = []
        self._executors()

    async def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text. They are in the queue, roughly weighed, while they are counted: raises `ModelBusy`."""
        guess = sum(map(len, texts)) // CHARACTERS_A_TOKEN
        with self._bounded(), self.queue.counting(guess, caller_tenant()):
            return await asyncio.get_running_loop().run_in_executor(self._tokenizing, self._encoder.lengths, texts)

    def add(self, job: Job) -> None:
        """Put a job in the queue; raises `ModelBusy` when too much waits."""
        with self._bounded():
            self.queue.add(job)
        self._report()
        self._wake.set()

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        try:
            yield
        except QueueBound as bound:
            REJECTED.labels(self._model).inc()
            raise ModelBusy(self._model, retry_after=bound.waiting / (self._rate * self._limits.workers)) from None

    async def _work(self) -> None:
        while True:
            if not self._may_start():
                self._wake.clear()
                await self._wake.wait()
                continue
            items = self.queue.next(self._budget())
            self._report()
            if items:
                await self._encode(items)

    def _may_start(self) -> bool:
        """Whether to take a batch now. Beside another batch, bulk waits until one is at least half full: on two cores
        batches of 500 tokens cost 10 ms of processor time a text of 115 tokens, of 1,000 or more 6 (0502).
        """
        enough = self._budget() / 2 if self._is_bulk and self._encoding else 1
        return self.queue.tokens >= enough

    def _budget(self) -> int:
        """Tokens that take a worker about `batch_seconds` now.

        Of queries no more than each idle worker's share: who waits for an answer waits half as long (0502).
        """
        most = min(self._limits.batch_tokens, round(self._rate * self._limits.batch_seconds))
        idle = self._limits.workers - self._encoding
        if self._is_bulk or idle < 2:
            return most
        return min(most, max(WORTH_SHARING_TOKENS, math.ceil(self.queue.tokens / idle)))

    async def _encode(self, items: Sequence[Item]) -> None:
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
            self._wake.set()  # a worker may have waited for this batch to end
        self.liveness.record_progress()
        BATCH_INPUTS.labels(self._model).observe(len(items))
        tokens = sum(item.tokens for item in items)
        if tokens >= LEAST_MEASURED_TOKENS:
            self._rate += WEIGHT_OF_LAST * (tokens / max(time.monotonic() - started, 1e-6) - self._rate)
        for job in finished(items, vectors):
            self._settle(job, None)

    def _report(self) -> None:
        waiting = self.queue.inputs
        WAITING.labels(self._model).inc(waiting - self._reported)
        self._reported = waiting


def lower_priority() -> None:
    """Have the calling thread compute when no other wants to; where the system has no priorities of threads, not.

    A process that was started with a lower priority than that keeps it: only root may raise one.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
