from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest

from inference.adapters.scripted import ScriptedEncoder
from inference.embedding import BatchedEmbedding, EncodingFailed
from inference.errors import ModelBusy
from inference.ports import Vectors


class SteppedEncoder(ScriptedEncoder):
    """Encodes a batch only when told to, and notes what it was given."""

    def __init__(self) -> None:
        super().__init__(dimensions=8, max_input_tokens=16)
        self.steps = threading.Semaphore(1)  # one for the warm-up
        self.batches: list[list[str]] = []
        self.began = threading.Semaphore(0)

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        self.began.release()
        if not self.steps.acquire(timeout=20):
            raise TimeoutError
        if "poison" in texts:
            raise ValueError("bad batch")
        return super().encode(texts)


@pytest.fixture
def encoder() -> SteppedEncoder:
    return SteppedEncoder()


@pytest.fixture
async def engine(encoder: SteppedEncoder) -> AsyncIterator[BatchedEmbedding]:
    engine = BatchedEmbedding(
        "words",
        encoder,
        dimensions=8,
        max_input_tokens=16,
        batch_tokens=16,
        batch_seconds=10,
        waiting_tokens=64,
        fresh_seconds=60,
        stalled_seconds=60,
    )
    await engine.open()
    encoder.began.acquire()
    yield engine
    encoder.steps.release(100)
    await engine.close()


async def began(encoder: SteppedEncoder) -> None:
    assert await asyncio.to_thread(encoder.began.acquire, timeout=20)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the engine announces nothing of what waits in it
            await asyncio.sleep(0)


async def test_a_query_waits_for_at_most_the_batch_that_is_being_encoded(
    engine: BatchedEmbedding, encoder: SteppedEncoder
) -> None:
    bulk = asyncio.create_task(engine.embed([f"{'word ' * 15} {number}" for number in range(4)], "bulk"))
    await began(encoder)
    query = asyncio.create_task(engine.embed(["a question"], "query"))
    await until(lambda: engine._batches.inputs == 4)
    encoder.steps.release()
    await began(encoder)
    assert encoder.batches[-1] == ["a question"]
    encoder.steps.release()
    assert (await query).tokens == 2
    assert not bulk.done()
    encoder.steps.release(3)
    assert (await bulk).vectors.shape == (4, 8)


async def test_too_many_waiting_tokens_are_refused_with_a_time_to_come_back(
    engine: BatchedEmbedding, encoder: SteppedEncoder
) -> None:
    first = asyncio.create_task(engine.embed(["word " * 16] * 4, "bulk"))
    await began(encoder)
    second = asyncio.create_task(engine.embed(["word " * 16], "bulk"))
    await until(lambda: engine._batches.inputs == 4)
    with pytest.raises(ModelBusy) as refused:
        await engine.embed(["word"], "bulk")
    assert refused.value.http_status == 429
    assert refused.value.headers()["Retry-After"].isdigit()
    encoder.steps.release(5)
    await asyncio.gather(first, second)


async def test_a_caller_that_leaves_frees_its_place(engine: BatchedEmbedding, encoder: SteppedEncoder) -> None:
    leaving = asyncio.create_task(engine.embed(["word " * 16] * 4, "bulk"))
    await began(encoder)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    encoder.steps.release(2)
    assert (await engine.embed(["next"], "bulk")).tokens == 1
    assert len(encoder.batches) == 3  # the warm-up, what was under way, the next


async def test_a_batch_that_fails_fails_its_callers_and_nobody_else(
    engine: BatchedEmbedding, encoder: SteppedEncoder
) -> None:
    encoder.steps.release(2)
    with pytest.raises(EncodingFailed):
        await engine.embed(["poison"], "query")
    assert (await engine.embed(["fine"], "query")).tokens == 1


async def test_vectors_come_in_the_order_of_the_texts_and_long_ones_are_counted(
    engine: BatchedEmbedding, encoder: SteppedEncoder
) -> None:
    encoder.steps.release(100)
    texts = ["word " * 30, "b", "c c c", "d " * 9]
    got = await engine.embed(texts, "bulk")
    np.testing.assert_allclose(got.vectors, ScriptedEncoder(8, 16).encode(texts))
    assert (got.truncated, got.tokens) == (1, 16 + 1 + 3 + 9)


async def test_where_a_batch_would_take_longer_than_it_should_it_has_fewer_texts() -> None:
    encoder = SteppedEncoder()
    encoder.steps.release(100)
    engine = BatchedEmbedding(
        "words",
        encoder,
        dimensions=8,
        max_input_tokens=16,
        batch_tokens=1000,
        batch_seconds=1e-6,
        waiting_tokens=1000,
        fresh_seconds=60,
        stalled_seconds=60,
    )
    await engine.open()
    await engine.embed(["word"] * 3, "bulk")
    assert [len(batch) for batch in encoder.batches[1:]] == [1, 1, 1]
    await engine.close()
