"""What was learnt as a GGUF file, as llama.cpp's `convert_lora_to_gguf.py` would write it of PEFT's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, GGUFWriter
from numpy.typing import NDArray

from lab.training.lora import LoraLinear
from lab.training.weights import split_halves

ARCHITECTURE = "llama"
NAMES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
_LAYER = re.compile(r"layers\.(\d+)\..*\.(\w+)$")


def write_adapter(path: Path, learnt: Mapping[str, LoraLinear], alpha: float, heads: int, key_value_heads: int) -> None:
    """Write it beside its place first, so that it is whole or not there."""
    part = path.with_suffix(".part")
    writer = GGUFWriter(part, ARCHITECTURE)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    writer.add_head_count(heads)  # llama.cpp has them from the model; who writes it in another form has the file alone
    writer.add_head_count_kv(key_value_heads)
    for name, module in learnt.items():
        layer, projection = _place(name)
        b = module.b.detach().float().cpu().numpy()
        if projection in ("q_proj", "k_proj"):
            b = interleaved(b, heads if projection == "q_proj" else key_value_heads)
        tensor = f"blk.{layer}.{NAMES[projection]}.weight"
        writer.add_tensor(f"{tensor}.lora_a", np.ascontiguousarray(module.a.detach().float().cpu().numpy()))
        writer.add_tensor(f"{tensor}.lora_b", np.ascontiguousarray(b))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def read_adapter(path: Path, learnt: Mapping[str, LoraLinear], heads: int, key_value_heads: int) -> None:
    """Put what a file holds into a model's matrices; raises `ValueError` where it is of another model."""
    reader = GGUFReader(path)
    tensors = {one.name: np.array(one.data, dtype=np.float32) for one in reader.tensors}
    (alpha,) = reader.fields["adapter.lora.alpha"].parts[-1]
    for name, module in learnt.items():
        layer, projection = _place(name)
        tensor = f"blk.{layer}.{NAMES[projection]}.weight"
        a, b = (torch.from_numpy(tensors[f"{tensor}.lora_{which}"]) for which in ("a", "b"))
        if projection in ("q_proj", "k_proj"):
            b = torch.from_numpy(split_halves(b.numpy(), heads if projection == "q_proj" else key_value_heads))
        if a.shape != module.a.shape or b.shape != module.b.shape:
            raise ValueError(f"{tensor} has another form than the model's")
        module.scale = float(alpha) / a.shape[0]
        with torch.no_grad():
            module.a.copy_(a)
            module.b.copy_(b)


def _place(name: str) -> tuple[str, str]:
    """The layer and the projection that a module is."""
    layer = _LAYER.search(name)
    if layer is None:
        raise ValueError(f"{name} is no projection of a layer")
    return layer[1], layer[2]


def interleaved(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """(out, in) in the order that llama.cpp has rows of queries and keys in: the two halves of each head that rotate
    together are neighbours there."""
    size = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, size, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
