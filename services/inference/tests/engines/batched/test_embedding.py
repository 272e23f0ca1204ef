from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from inference.engines.batched.embedding import PROBE_TEXT, BatchedEmbedding
from inference.engines.batched.worker_pool import NICENESS, EncodingFailed, WorkerPoolLimits, lower_priority
from inference.engines.scripted.vectors import ScriptedEncoder
from inference.errors import ModelBusy, ModelNotReady
from inference.protocol.engines import Priority, Vectors


class SteppedEncoder(ScriptedEncoder):
    """Encodes a batch only when told to, and notes what it was given."""

    def __init__(self) -> None:
        super().__init__(dimensions=8, max_input_tokens=16)
        self.steps = threading.Semaphore(2)  # for the warm-up of both lanes
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


async def began(encoder: SteppedEncoder) -> None:
    assert await asyncio.to_thread(encoder.began.acquire, timeout=20)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # the engine announces nothing of what waits in it
            await asyncio.sleep(0)


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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
async def test_threads_of_bulk_give_way_to_those_of_queries() -> None:
    class Asking(ScriptedEncoder):
        def encode(self, texts: Sequence[str]) -> Vectors:
            niceness[texts[0]] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            return super().encode(texts)

    niceness: dict[str, int] = {}
    engine = BatchedEmbedding("words", Asking(8, 16), dimensions=8, max_input_tokens=16, limits=LIMITS)
    await engine.open()
    await engine.embed(["bulk"], "bulk")
    await engine.embed(["query"], "query")
    assert niceness["query"] == os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness["bulk"] > niceness["query"] or niceness["query"] > 9  # a nicer one than that was started so
    await engine.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_a_process_of_a_lower_priority_than_bulk_keeps_it() -> None:
    """In a container nobody may raise it again: the model would not load."""

    def work() -> None:
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, NICENESS + 5)
        lower_priority()
        niceness.append(os.getpriority(os.PRIO_PROCESS, own))

    niceness: list[int] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert niceness == [NICENESS + 5]


async def test_a_second_batch_of_bulk_begins_beside_the_first_only_when_it_is_half_full() -> None:
    held = HeldEncoder()
    engine = BatchedEmbedding("words", held, dimensions=8, max_input_tokens=16, limits=replace(LIMITS, workers=2))
    await engine.open()
    calls = [asyncio.create_task(engine.embed(["word " * 16], "bulk"))]
    await until(lambda: len(held.holds) == 1)
    calls.append(asyncio.create_task(engine.embed(["few words"], "bulk")))
    await until(lambda: engine.pools["bulk"].queue.inputs == 1)
    calls.append(asyncio.create_task(engine.embed(["more of few words here and there"], "bulk")))
    await until(lambda: len(held.holds) == 2)
    assert held.holds[1] == ["few words", "more of few words here and there"]
    held.go.set()
    await asyncio.gather(*calls)
    await engine.close()


@pytest.mark.parametrize(("priority", "texts", "sizes"), [("query", 16, [8, 8]), ("query", 8, [8]), ("bulk", 16, [16])])
async def test_idle_threads_share_the_texts_of_a_query_where_they_are_many(
    priority: Priority, texts: int, sizes: list[int]
) -> None:
    encoder = SteppedEncoder()
    encoder.steps.release(100)
    limits = replace(LIMITS, workers=2, batch_tokens=1000, waiting_tokens=1000)
    engine = BatchedEmbedding("words", encoder, dimensions=8, max_input_tokens=16, limits=limits)
    await engine.open()
    given = [f"{number} {'word ' * 15}" for number in range(texts)]
    got = await engine.embed(given, priority)
    np.testing.assert_allclose(got.vectors, ScriptedEncoder(8, 16).encode(given))
    assert [len(batch) for batch in encoder.batches[2:]] == sizes
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


async def test_where_a_batch_would_take_longer_than_it_should_it_has_fewer_texts() -> None:
    encoder = SteppedEncoder()
    encoder.steps.release(100)
    engine = BatchedEmbedding(
        "words",
        encoder,
        dimensions=8,
        max_input_tokens=16,
        limits=replace(LIMITS, batch_tokens=1000, batch_seconds=1e-6, waiting_tokens=1000),
    )
    await engine.open()
    await engine.embed(["word"] * 3, "bulk")
    assert [len(batch) for batch in encoder.batches[2:]] == [1, 1, 1]
    await engine.close()


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
