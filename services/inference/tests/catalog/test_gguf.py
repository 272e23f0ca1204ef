from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import deserialize
from services.inference.tests.catalog.ggufs import (
    HEADS,
    KV_HEADS,
    SPECIAL,
    TEMPLATE,
    TOKENS,
    WIDTH,
    tensors,
    write_gguf,
)
from tokenizers import Tokenizer

from inference.catalog.gguf import UnsupportedGguf, convert_gguf, hugging_face_name, to_bfloat16, unpermute


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        ("output.weight", "lm_head.weight"),
        ("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"),
        ("blk.29.ffn_down.weight", "model.layers.29.mlp.down_proj.weight"),
        ("blk.3.attn_k.bias", "model.layers.3.self_attn.k_proj.bias"),
    ],
)
def test_a_tensor_has_its_name_of_a_llama_model(name: str, becomes: str) -> None:
    assert hugging_face_name(name) == becomes


@pytest.mark.parametrize("name", ["", "rope_freqs.weight", "blk.0.ffn_gate_inp.weight", "enc.0.attn_q.weight", "blk.0"])
def test_a_tensor_of_another_family_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedGguf, match="not part of a Llama model"):
        hugging_face_name(name)


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (1.0, 0x3F80),
        (-0.0, 0x8000),
        (1 + 2**-8, 0x3F80),  # half way between two: the even one
        (1 + 3 * 2**-8, 0x3F82),
        (1 + 2**-8 + 2**-20, 0x3F81),
        (np.inf, 0x7F80),
        (3.4028234e38, 0x7F80),  # the largest float32 is nearer to infinity
    ],
)
def test_a_weight_is_rounded_to_the_nearest_bfloat16(value: float, bits: int) -> None:
    assert to_bfloat16(np.array([value], dtype=np.float32)).tolist() == [bits]


def test_rounding_leaves_the_weights_as_they_were_in_whatever_order_they_lie() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    before = values.copy()
    np.testing.assert_array_equal(to_bfloat16(values.T), to_bfloat16(values).T)
    np.testing.assert_array_equal(values, before)


def permuted(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """As llama.cpp's conversion reorders the rows of queries and keys."""
    half = weights.shape[0] // heads // 2
    return weights.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(weights.shape)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_order_of_rotary_rows_is_undone(heads: int) -> None:
    weights = np.arange(8 * 3, dtype=np.float32).reshape(8, 3)
    np.testing.assert_array_equal(unpermute(permuted(weights, heads), heads), weights)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    return made


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_all_weights_are_there_under_their_names_and_queries_and_keys_in_their_order(
    tmp_path: Path, folder: Path
) -> None:
    convert_gguf(write_gguf(tmp_path / "m.gguf"), folder)
    found = dict(deserialize((folder / "model.safetensors").read_bytes()))  # type: ignore[no-untyped-call]
    assert len(found) == len(tensors())
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}
    for name, values in tensors().items():
        part = name.split(".")[-2]
        expected = unpermute(values, heads[part]) if part in heads else values
        tensor = found[hugging_face_name(name)]
        assert (tensor["dtype"], tensor["shape"]) == ("BF16", list(values.shape))
        assert bytes(tensor["data"]) == to_bfloat16(expected).tobytes()


def test_the_config_says_what_the_file_says(tmp_path: Path, folder: Path) -> None:
    convert_gguf(write_gguf(tmp_path / "m.gguf"), folder)
    config = read(folder / "config.json")
    assert (config["vocab_size"], config["hidden_size"], config["head_dim"]) == (len(TOKENS), WIDTH, WIDTH // HEADS)
    assert (config["num_key_value_heads"], config["max_position_embeddings"]) == (KV_HEADS, 64)
    assert (config["bos_token_id"], config["eos_token_id"], config["tie_word_embeddings"]) == (1, 2, True)
    assert read(folder / "tokenizer_config.json")["eos_token"] == SPECIAL[2]
    assert (folder / "chat_template.jinja").read_text(encoding="utf-8") == TEMPLATE


def test_a_head_of_its_own_is_not_tied_to_the_embeddings(tmp_path: Path, folder: Path) -> None:
    head: dict[str, Any] = {"output.weight": np.zeros((len(TOKENS), WIDTH), dtype=np.float32)}
    convert_gguf(write_gguf(tmp_path / "m.gguf", **head), folder)
    assert read(folder / "config.json")["tie_word_embeddings"] is False


def test_the_tokenizer_splits_digits_merges_as_told_and_keeps_control_tokens_whole(
    tmp_path: Path, folder: Path
) -> None:
    convert_gguf(write_gguf(tmp_path / "m.gguf"), folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("<|im_start|>he 12").tokens == ["<|im_start|>", "he", "Ġ", "1", "2"]
    assert tokenizer.decode(tokenizer.encode("he said: 12").ids) == "he said: 12"


@pytest.mark.parametrize("other", [{"architecture": "qwen2"}, {"pre": "llama-bpe"}])
def test_a_file_of_another_family_is_refused_and_nothing_is_written(
    tmp_path: Path, folder: Path, other: dict[str, Any]
) -> None:
    source = write_gguf(tmp_path / "m.gguf", **other)
    with pytest.raises(UnsupportedGguf, match=r"m\.gguf is not a SmolLM model"):
        convert_gguf(source, folder)
    assert list(folder.iterdir()) == []
