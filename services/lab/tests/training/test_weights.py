from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from services.lab.tests.training import tiny

from lab.training import weights
from lab.training.adapter_file import interleaved
from lab.training.header import read_header
from lab.training.weights import load_model, name_of, split_halves


def test_a_model_is_read_with_all_its_weights_and_the_one_way_back_is_the_other(tmp_path: Path) -> None:
    tokens = tiny.write_tokenizer(tmp_path / "tokenizer.json")
    tiny.write_weights(tmp_path / "weights.gguf", tokens)
    header = read_header(tmp_path / "weights.gguf")
    assert (header.architecture, header.end, header.begin, header.adds_begin) == (
        "llama",
        "<|end|>",
        "<|begin|>",
        False,
    )
    assert (header.heads, header.key_value_heads, header.template) == (4, 2, tiny.TEMPLATE)
    model = load_model(tmp_path / "weights.gguf", header)
    logits = model(input_ids=torch.tensor([[0, 5, 6]])).logits
    assert logits.shape == (1, 3, len(tokens))
    assert torch.isfinite(logits).all()
    rows = np.arange(64, dtype=np.float32).reshape(16, 4)
    assert (interleaved(split_halves(rows, 4), 4) == rows).all()
    assert not (split_halves(rows, 4) == rows).all()


def test_a_weight_that_is_none_of_llama_s_is_told() -> None:
    assert name_of("blk.3.attn_q.weight") == "model.layers.3.self_attn.q_proj.weight"
    for name in ("blk.0.attn_q.bias", "blk.0.ffn_gate_exps.weight", "v.patch_embd.weight", "rope_freqs.weight"):
        with pytest.raises(ValueError, match="no weight of a llama model"):
            name_of(name)


def test_a_quantization_that_can_t_be_read_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(data: object, kind: object) -> object:
        raise NotImplementedError

    monkeypatch.setattr(weights, "dequantize", unknown)
    tiny.write_weights(tmp_path / "weights.gguf", tiny.write_tokenizer(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="quantized as F32"):
        load_model(tmp_path / "weights.gguf", read_header(tmp_path / "weights.gguf"))
