"""A llama model from the GGUF file that it is served from, its quantized weights as numbers again.

`transformers` can read such files, too, but wants `accelerate` for it, which nothing else here needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from numpy.typing import NDArray
from transformers import LlamaConfig, LlamaForCausalLM

from lab.training.header import Header, value_of

NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
"""llama.cpp's names of a layer's weights."""
ENDS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def load_model(path: Path, header: Header) -> Any:
    """The model in float32, for evaluation; raises `ValueError` for a file with weights that are not llama's."""
    reader = GGUFReader(path)
    tensors = {one.name: one for one in reader.tensors}
    model = LlamaForCausalLM(_config(reader, tensors, header))
    loaded: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        ours = name_of(name)
        weights = _numbers(tensor)
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            heads = header.heads if name.endswith("attn_q.weight") else header.key_value_heads
            weights = split_halves(weights, heads)
        loaded[ours] = torch.from_numpy(np.ascontiguousarray(weights))
    missing, unknown = model.load_state_dict(loaded, strict=False)
    left = [name for name in missing if name != "lm_head.weight"]
    if left or unknown:
        raise ValueError(f"weights are missing or unknown: {[*left, *unknown][:3]}")
    model.tie_weights()
    return model.eval()


def _numbers(tensor: Any) -> NDArray[np.float32]:
    """A copy: the file's can't be written. Raises `ValueError` for a quantization that gguf can't read."""
    try:
        return np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
    except NotImplementedError:
        raise ValueError(f"its weights are quantized as {tensor.tensor_type.name}, which can't be read") from None


def name_of(name: str) -> str:
    """What transformers calls a weight of llama.cpp's; raises `ValueError` for one that it does not have. Factors of
    rotation (`rope_freqs`) are none: without them the model that learns would be another than the one that is
    served."""
    stem = name.removesuffix(".weight")
    if stem in ENDS:
        return f"{ENDS[stem]}.weight"
    parts = stem.split(".")
    if len(parts) == 3 and parts[0] == "blk" and parts[2] in NAMES:
        return f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"
    raise ValueError(f"{name} is no weight of a llama model")


def split_halves(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """(out, in) in the order that transformers has rows of queries and keys in: of each head the first of all pairs
    that rotate together, then the second. The way back is `adapter_file.interleaved`."""
    size = rows.shape[0] // heads // 2
    return rows.reshape(heads, size, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def _check_rotation(reader: GGUFReader, header: Header) -> None:
    """Raises `ValueError` where positions are scaled: that is not done here, and would be where it is served."""
    scaling = value_of(reader, f"{header.architecture}.rope.scaling.type")
    factors = (value_of(reader, f"{header.architecture}.rope.{name}") for name in ("scaling.factor", "scale_linear"))
    if scaling not in (None, "none") or any(one not in (None, 0.0, 1.0) for one in factors):
        raise ValueError("its positions are scaled (llama.rope.scaling)")


def _config(reader: GGUFReader, tensors: dict[str, Any], header: Header) -> LlamaConfig:
    def number(name: str, otherwise: float) -> Any:
        found = value_of(reader, f"{header.architecture}.{name}")
        return otherwise if found is None else found

    _check_rotation(reader, header)
    width = int(number("embedding_length", 0))
    return LlamaConfig(
        vocab_size=int(tensors["token_embd.weight"].shape[1]),
        hidden_size=width,
        intermediate_size=int(number("feed_forward_length", 0)),
        num_hidden_layers=int(number("block_count", 0)),
        num_attention_heads=header.heads,
        num_key_value_heads=header.key_value_heads,
        head_dim=int(number("attention.key_length", width // max(1, header.heads))),
        max_position_embeddings=int(number("context_length", 2048)),
        rms_norm_eps=float(number("attention.layer_norm_rms_epsilon", 1e-5)),
        rope_parameters={"rope_type": "default", "rope_theta": float(number("rope.freq_base", 10_000.0))},
        tie_word_embeddings="output.weight" not in tensors,
        attn_implementation="sdpa",
    )
