from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.contextvars import bound_contextvars
from tests.support.inference.tokenizers import word_pieces

from inference.engines.sentence_transformers import pairs
from inference.engines.sentence_transformers.cross_encoder import CrossEncoderRank
from inference.engines.sentence_transformers.pairs import PAIRS_AT_ONCE
from inference.errors import ModelNotReady, Unsupported
from inference.protocol.engines import Pair, RankingResult
from inference.queueing.admission import Admission

LIMIT = 24


class Overlap:
    """A cross-encoder that scores by shared words; notes its batches, and waits where a test says so."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Semaphore(0)

    def compute(self, pairs: Sequence[Pair]) -> list[float]:
        self.batches.append(len(pairs))
        self.began.release()
        assert self.go.wait(60)
        return [len(set(a.split()) & set(b.split())) / max(1, len(set(a.split()))) for a, b in pairs]


class Ranker(CrossEncoderRank):
    """One whose model is loaded at once."""

    def __init__(self, model: Overlap, admission: Admission | None = None) -> None:
        self.admission = admission or Admission("overlap", slots=1, waiting=4)
        super().__init__(
            "overlap",
            lambda: Path(),
            self.admission,
            max_input_tokens=LIMIT,
            precision="float32",
            threads=1,
            fresh_seconds=60,
            stalled_seconds=60,
        )
        self._overlap = model

    def _open(self) -> None:
        plain = word_pieces()
        plain.no_truncation()
        plain.no_padding()
        self._counter, self.model = plain, self._overlap


async def opened(model: Overlap) -> Ranker:
    ranker = Ranker(model)
    await ranker.open()
    model.batches.clear()
    while model.began.acquire(blocking=False):
        pass
    return ranker


async def test_scores_come_in_the_order_of_the_documents_and_what_is_too_long_is_counted() -> None:
    ranker = await opened(Overlap())
    documents = ["the price", "days " * 40, "price", "the price and days"]
    ranked = await ranker.rank("the price", documents)
    assert ranked.scores == (1.0, 0.0, 0.5, 1.0)
    lengths = ranker._lengths(ranker._counter, [("the price", document) for document in documents])
    assert (ranked.truncated, ranked.tokens) == (1, sum(lengths) - lengths[1] + LIMIT)
    assert await ranker.rank("the", []) == RankingResult((), 0, 0)
    await ranker.close()


async def test_many_documents_go_in_batches_between_which_a_caller_may_leave() -> None:
    model = Overlap()
    ranker = await opened(model)
    model.go.clear()
    leaving = asyncio.create_task(ranker.rank("the", ["the"] * (3 * PAIRS_AT_ONCE)))
    assert await asyncio.to_thread(model.began.acquire, timeout=60)
    leaving.cancel()
    model.go.set()
    await asyncio.gather(leaving, return_exceptions=True)
    assert ranker.admission.running == 0
    assert (await ranker.rank("the", ["the"] * (PAIRS_AT_ONCE + 1))).scores == (1.0,) * (PAIRS_AT_ONCE + 1)
    assert model.batches == [PAIRS_AT_ONCE, PAIRS_AT_ONCE, 1]
    await ranker.close()


async def test_documents_of_a_length_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", 2)
    seen: list[list[str]] = []

    class Noting(Overlap):
        def compute(self, pairs: Sequence[Pair]) -> list[float]:
            seen.append([document for _, document in pairs])
            return super().compute(pairs)

    ranker = await opened(Noting())
    seen.clear()
    await ranker.rank("the", ["the " * 9, "the", "the " * 8, "price"])
    assert seen == [["the", "price"], ["the " * 8, "the " * 9]]
    await ranker.close()


async def test_what_it_does_not_know_is_refused_and_so_is_all_before_it_is_loaded() -> None:
    ranker = Ranker(Overlap())
    with pytest.raises(ModelNotReady, match="not loaded"):
        await ranker.rank("the", ["the"])
    await ranker.open()
    with pytest.raises(Unsupported) as refused:
        await ranker.rank("the", ["the"], {"user": "x", "temperature": 1})
    assert refused.value.param == "temperature"
    assert ranker.admission.running == 0
    await ranker.probe()
    await ranker.close()


@pytest.mark.parametrize("by_its_token", [False, True])
async def test_bulk_lets_a_query_go_after_each_batch_and_is_not_refused_when_it_goes_on(by_its_token: bool) -> None:
    model = Overlap()
    ranker = await opened(model)
    model.go.clear()
    with bound_contextvars(bulk=by_its_token):
        bulk = asyncio.create_task(ranker.work([("the", "the")] * (2 * PAIRS_AT_ONCE), bulk=not by_its_token))
    assert await asyncio.to_thread(model.began.acquire, timeout=60)
    others = [asyncio.create_task(ranker.work([("the", "price")], bulk=True)) for _ in range(4)]
    query = asyncio.create_task(ranker.rank("the", ["the", "price"]))
    async with asyncio.timeout(60):
        while ranker.admission.waiting < 5:  # noqa: ASYNC110  # tasks announce nothing before they have a slot
            await asyncio.sleep(0)
    model.go.set()
    assert (await query).scores == (1.0, 0.0)
    assert not bulk.done(), "the query had the slot before the second batch"
    assert (await bulk).values == (1.0,) * (2 * PAIRS_AT_ONCE)
    assert [computed.values for computed in await asyncio.gather(*others)] == [(0.0,)] * 4
    assert ranker.admission.running == 0
    await ranker.close()
