from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.support.inference.tokenizers import word_pieces
from tokenizers import Tokenizer

from inference.engines.sentence_transformers.models import SentenceEncoder, agreement, plain_tokenizer

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
    encoder._torch = torch
    features = {"input_ids": torch.full((2, length), 5), "attention_mask": torch.ones(2, length, dtype=torch.int64)}
    encoder._round_up(features, tokenizer)
    assert features["input_ids"].shape == features["attention_mask"].shape == (2, padded)
    assert features["input_ids"][0].tolist() == [5] * length + [9] * (padded - length)
    assert features["attention_mask"][0].sum() == length, "what was added is not read"
