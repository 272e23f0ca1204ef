"""Encoders that work when a test says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from inference.engines.batched.embedding import PROBE_TEXT
from inference.engines.batched.worker_pool import WorkerPoolLimits
from inference.engines.scripted.vectors import ScriptedEncoder
from inference.protocol.engines import Vectors


class SteppedEncoder(ScriptedEncoder):
    """Encodes a batch only when told to, and notes what it was given."""

    def __init__(self) -> None:
        super().__init__(dimensions=8, max_input_tokens=16)
        self.steps = threading.Semaphore(2)  # for the warm-up of both pools
        self.batches: list[list[str]] = []
        self.began = threading.Semaphore(0)

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        self.began.release()
        if not self.steps.acquire(timeout=60):
            raise TimeoutError
        if "poison" in texts:
            raise ValueError("bad batch")
        return super().encode(texts)


class HeldEncoder(ScriptedEncoder):
    """Holds every batch of bulk, other than probes, until it may go; queries go at once."""

    def __init__(self) -> None:
        super().__init__(dimensions=8, max_input_tokens=16)
        self.go = threading.Event()
        self.holds: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        if "bulk" in threading.current_thread().name and PROBE_TEXT not in texts:
            self.holds.append(list(texts))
            if not self.go.wait(60):
                raise TimeoutError
        return super().encode(texts)


LIMITS = WorkerPoolLimits(
    workers=1, batch_tokens=16, batch_seconds=10, waiting_tokens=64, fresh_seconds=60, stalled_seconds=60
)


async def began(encoder: SteppedEncoder) -> None:
    assert await asyncio.to_thread(encoder.began.acquire, timeout=60)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # the engine announces nothing of what waits in it
            await asyncio.sleep(0)
