from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.support.inference.tokenizers import word_pieces
from tokenizers import Tokenizer

from inference.engines.sentence_transformers import models
from inference.engines.sentence_transformers.models import (
    PAIRS_AT_ONCE,
    CrossEncoderRank,
    SentenceEncoder,
    agreement,
    plain_tokenizer,
)
from inference.errors import ModelNotReady, Unsupported
from inference.protocol.engines import RankingResult
from inference.queueing.admission import Admission

LIMIT = 24


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    word_pieces().save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_tokenizer_neither_cuts_nor_pads_so_that_a_long_text_is_seen_to_be_long(folder: Path) -> None:
    kept = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert kept["truncation"] is not None
    assert kept["padding"] is not None
    plain = Tokenizer.from_str(plain_tokenizer(folder).decode())
    assert [len(plain.encode(text).ids) for text in ("the", "the " * 500)] == [3, 502]


@pytest.mark.parametrize(
    ("other", "lowest"),
    [
        ([[1, 0], [0, 1]], 1.0),
        ([[1, 0], [0.6, 0.8]], 0.8),
        ([[1, 0], [np.nan, 1]], -1.0),
        ([[np.inf, 0], [0, 1]], -1.0),
    ],
)
def test_two_precisions_agree_as_far_as_their_worst_vector(other: list[list[float]], lowest: float) -> None:
    exact = np.eye(2, dtype=np.float32)
    assert agreement(exact, np.array(other, dtype=np.float32)) == pytest.approx(lowest)


@pytest.mark.parametrize(
    ("length", "side", "padded"),
    [(5, "right", 16), (16, "right", 16), (17, "right", 24), (24, "right", 24), (5, "left", 5)],
)
def test_inputs_have_few_lengths_and_none_beyond_what_the_model_reads(
    torch: Any, length: int, side: str, padded: int
) -> None:
    encoder = SentenceEncoder(lambda: Path(), dimensions=2, max_input_tokens=LIMIT, precision="float32")
    tokenizer = SimpleNamespace(padding_side=side, pad_token_id=9)
    encoder._torch, encoder._model = torch, SimpleNamespace(tokenizer=tokenizer)
    features = {"input_ids": torch.full((2, length), 5), "attention_mask": torch.ones(2, length, dtype=torch.int64)}
    encoder._round_up(features)
    assert features["input_ids"].shape == features["attention_mask"].shape == (2, padded)
    assert features["input_ids"][0].tolist() == [5] * length + [9] * (padded - length)
    assert features["attention_mask"][0].sum() == length, "what was added is not read"


class Overlap:
    """A cross-encoder that scores by shared words; notes its batches, and waits where a test says so."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Semaphore(0)

    def predict(self, pairs: Sequence[tuple[str, str]], **_: Any) -> list[np.float32]:
        self.batches.append(len(pairs))
        self.began.release()
        assert self.go.wait(60)
        return [np.float32(len(set(a.split()) & set(b.split())) / max(1, len(set(a.split())))) for a, b in pairs]


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

    def _load(self) -> None:
        plain = word_pieces()
        plain.no_truncation()
        plain.no_padding()
        self._counter, self._model = plain, self._overlap


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
    lengths = ranker._lengths("the price", documents)
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
    monkeypatch.setattr(models, "PAIRS_AT_ONCE", 2)
    seen: list[list[str]] = []

    class Noting(Overlap):
        def predict(self, pairs: Sequence[tuple[str, str]], **more: Any) -> list[np.float32]:
            seen.append([document for _, document in pairs])
            return super().predict(pairs, **more)

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
