from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.inference.packaged import packaged_gguf
from tokenizers import Tokenizer

from inference.catalog.gguf_header import GgufHeader, read_header
from inference.catalog.gguf_tokenizer import SPLITS, tokenizer_json

FIELDS: dict[str, Any] = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "qwen2",
    "tokenizer.ggml.tokens": ["<|end|>", "<think>", "a", "b", "ab"],
    "tokenizer.ggml.token_type": [3, 4, 1, 1, 1],
    "tokenizer.ggml.merges": ["a b"],
}


def tokenizer(**changes: Any) -> Tokenizer:
    content = tokenizer_json(GgufHeader(FIELDS | {f"tokenizer.ggml.{name}": value for name, value in changes.items()}))
    assert content is not None
    return Tokenizer.from_str(content.decode())


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer.ggml.model": "llama"},
        {"tokenizer.ggml.pre": "of-tomorrow"},
        {"tokenizer.ggml.pre": None},
        {"tokenizer.ggml.merges": None},
        {"tokenizer.ggml.tokens": None},
    ],
)
def test_another_kind_of_tokenizer_is_not_guessed(changes: dict[str, Any]) -> None:
    assert tokenizer_json(GgufHeader(FIELDS | changes)) is None
    assert tokenizer_json(GgufHeader({})) is None


@pytest.mark.parametrize("split", SPLITS)
def test_text_is_merged_and_named_tokens_are_found_whole(split: str) -> None:
    assert tokenizer(pre=split).encode("ab<think>a<|end|>").ids == [4, 1, 2, 0]


def test_only_control_tokens_are_left_out_of_text() -> None:
    assert tokenizer().decode([4, 1, 0], skip_special_tokens=True) == "ab<think>"


def test_a_llama_3_word_that_is_a_token_needs_no_merges() -> None:
    assert tokenizer(pre="llama-bpe", tokens=["a", "b", "ab", "ba"], token_type=None).encode("ba").ids == [3]
    assert tokenizer(pre="qwen2", tokens=["a", "b", "ab", "ba"], token_type=None).encode("ba").ids == [1, 0]


def test_the_packaged_models_neither_cuts_nor_pads_and_splits_digits_as_the_model_was_trained() -> None:
    content = tokenizer_json(read_header(packaged_gguf()))
    assert content is not None
    assert json.loads(content)["truncation"] is json.loads(content)["padding"] is None
    whole = Tokenizer.from_str(content.decode())
    assert whole.encode("  12").tokens == ["ĠĠ", "1", "2"]
    for text in (
        "Straße, naïve, 漢字 und Emoji 🎉",
        "def f(x):\n    return 42\n\n\n",
        "<|im_start|>user\nHi<|im_end|>",
    ):
        assert whole.decode(whole.encode(text).ids, skip_special_tokens=False) == text
