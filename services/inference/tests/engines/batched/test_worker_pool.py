from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from services.inference.tests.engines.batched.encoders import LIMITS, HeldEncoder, SteppedEncoder, until

from inference.engines.batched.embedding import BatchedEmbedding
from inference.engines.batched.worker_pool import NICENESS, lower_priority
from inference.engines.scripted.vectors import ScriptedEncoder
from inference.protocol.engines import Priority, Vectors


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
