from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from services.inference.tests.engines.batched.encoders import LIMITS, HeldEncoder, SteppedEncoder, began, until
from structlog.contextvars import bound_contextvars

from inference.engines.batched.embedding import PRIORITIES, BatchedEmbedding
from inference.engines.batched.worker_pool import EncodingFailed
from inference.engines.scripted.vectors import ScriptedEncoder
from inference.errors import ModelBusy, ModelNotReady


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
        limits=LIMITS,
    )
    await engine.open()
    for _ in range(2):
        encoder.began.acquire()
    yield engine
    encoder.steps.release(100)
    await engine.close()


async def test_a_query_is_embedded_while_bulk_is_at_work_and_waits_for_none_of_it() -> None:
    held = HeldEncoder()
    engine = BatchedEmbedding("words", held, dimensions=8, max_input_tokens=16, limits=LIMITS)
    await engine.open()
    bulk = asyncio.create_task(engine.embed([f"{'word ' * 15} {number}" for number in range(4)], "bulk"))
    await until(lambda: held.holds)
    assert (await engine.embed(["a question"], "query")).tokens == 2
    assert not bulk.done()
    held.go.set()
    assert (await bulk).vectors.shape == (4, 8)
    await engine.close()


async def test_one_that_was_closed_embeds_the_same_when_it_is_opened_again() -> None:
    class Counted(ScriptedEncoder):
        opened = closed = 0

        def open(self) -> None:
            self.opened += 1

        def close(self) -> None:
            self.closed += 1

    encoder = Counted(dimensions=8, max_input_tokens=16)
    engine = BatchedEmbedding("words", encoder, dimensions=8, max_input_tokens=16, limits=LIMITS)
    vectors = []
    for number in range(2):
        await engine.open()
        assert (encoder.opened, encoder.closed) == (number + 1, number)
        vectors += [(await engine.embed(["a red car"], priority)).vectors for priority in PRIORITIES]
        await engine.probe()
        await engine.close()
    assert encoder.closed == 2, "what is closed frees its encoder"
    assert all((each == vectors[0]).all() for each in vectors)


async def test_a_jobs_query_waits_behind_those_of_others() -> None:
    held = HeldEncoder()
    engine = BatchedEmbedding("words", held, dimensions=8, max_input_tokens=16, limits=LIMITS)
    await engine.open()
    with bound_contextvars(bulk=True):
        of_a_job = asyncio.create_task(engine.embed(["a question of a job"], "query"))
    await until(lambda: held.holds)
    assert (await engine.embed(["a question"], "query")).tokens == 2
    assert not of_a_job.done()
    held.go.set()
    assert (await of_a_job).tokens == 5
    await engine.close()


async def test_a_lane_that_hangs_is_told_of_though_the_other_one_answers() -> None:
    held = HeldEncoder()
    limits = replace(LIMITS, fresh_seconds=1e-9, stalled_seconds=1e-9)
    engine = BatchedEmbedding("words", held, dimensions=8, max_input_tokens=16, limits=limits)
    await engine.open()
    await engine.probe()
    bulk = asyncio.create_task(engine.embed(["word"], "bulk"))
    await until(lambda: held.holds)
    await engine.embed(["a question"], "query")
    with pytest.raises(ModelNotReady):
        for _ in range(3):  # it counts from when it is first seen busy
            await engine.probe()
    held.go.set()
    await bulk
    await engine.probe()
    await engine.close()


async def test_too_many_waiting_tokens_are_refused_with_a_time_to_come_back(
    engine: BatchedEmbedding, encoder: SteppedEncoder
) -> None:
    first = asyncio.create_task(engine.embed(["word " * 16] * 4, "bulk"))
    await began(encoder)
    second = asyncio.create_task(engine.embed(["word " * 16], "bulk"))
    await until(lambda: engine.pools["bulk"].queue.inputs == 4)
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
    assert len(encoder.batches) == 4  # the warm-up of both, what was under way, the next


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


async def test_texts_are_in_line_before_their_tokens_are_counted() -> None:
    class Counting(ScriptedEncoder):
        def lengths(self, texts: Sequence[str]) -> list[int]:
            if len(texts[0]) > 100:
                counted.append(len(texts))
                assert go.wait(60)
            return super().lengths(texts)

    counted: list[int] = []
    go = threading.Event()
    engine = BatchedEmbedding("words", Counting(8, 16), dimensions=8, max_input_tokens=16, limits=LIMITS)
    await engine.open()
    long = "word " * 1000
    first = asyncio.create_task(engine.embed([long], "bulk"))
    await until(lambda: bool(counted))
    for _ in range(20):
        with pytest.raises(ModelBusy):
            await engine.embed([long], "bulk")
    assert (await engine.embed(["a question"], "query")).tokens == 2  # counted beside bulk's
    go.set()
    assert (await first).truncated == 1
    assert counted == [1]
    assert engine.pools["bulk"].queue.tokens == 0
    await engine.close()
