"""What tuning jobs have learnt in the form that vLLM reads: PEFT's, a folder with `adapter_model.safetensors` and
`adapter_config.json`. It is the way back of llama.cpp's `convert_lora_to_gguf.py`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, TensorSpec, safe_open, serialize_file

from inference.catalog.gguf_header import GgufHeader, read_tensors
from inference.errors import CannotLoad, FileInvalid
from servicekit.core.durable import sync
from servicekit.core.identifiers import new_id

PROJECTIONS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TENSOR = re.compile(r"blk\.(\d+)\.(\w+)\.weight\.lora_([ab])")
READABLE, ENTERABLE = 0o644, 0o755
"""By vLLM, which runs as another user."""
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def write_peft(adapter: Path, folder: Path) -> None:
    """Write a GGUF adapter of a llama model into `folder`, which is whole or not there; one that is whole stays.

    Raises `CannotLoad` for a file that is no such adapter, or a folder that can't be written. Blocks.
    """
    if _is_whole(folder):
        return
    part = folder.with_name(new_id("part"))
    try:
        delete_peft(folder)
        _make(part)
        _write(adapter, part)
        part.rename(folder)
        sync(folder.parent)
    except (KeyError, ValueError, TypeError) as error:
        raise FileInvalid(
            f"what was learnt is no adapter that vLLM could load: {error!r}. Publish that job again"
        ) from None
    except OSError as error:
        if not _is_whole(folder):  # else another replica was first
            raise CannotLoad(
                f"what was learnt can't be written where vLLM reads it ({error.strerror}). Correct "
                "INFERENCE_VLLM_ADAPTERS_DIR, or its volume"
            ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def delete_peft(folder: Path) -> None:
    """Delete one that may be there: it is set aside first, so that it is never seen in part. Raises `OSError`."""
    aside = folder.with_name(new_id("part"))
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)  # what stays is deleted as any part


def _is_whole(folder: Path) -> bool:
    try:
        json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        with safe_open(folder / WEIGHTS, framework="numpy"):
            return True
    except (OSError, ValueError, SafetensorError):
        return False


def _make(folder: Path) -> None:
    """With the folder around it: whoever starts inference may have a umask that keeps others out."""
    for each in (folder.parent, folder):
        if not each.is_dir():
            each.mkdir(parents=True)
            each.chmod(ENTERABLE)


def _write(adapter: Path, folder: Path) -> None:
    header, tensors = read_tensors(adapter)
    found = dict(_renamed(header, name, values) for name, values in tensors.items())
    specs = {
        name: TensorSpec(dtype="float32", shape=values.shape, data_ptr=values.ctypes.data, data_len=values.nbytes)
        for name, values in found.items()
    }
    serialize_file(specs, str(folder / WEIGHTS), {"format": "pt"})
    rank = next(values.shape[0] for name, values in found.items() if ".lora_A." in name)
    text = json.dumps(_config(rank, float(header.fields["adapter.lora.alpha"]), found))
    (folder / CONFIG).write_text(text, encoding="utf-8")
    for file in (folder / WEIGHTS, folder / CONFIG):
        file.chmod(READABLE)
        sync(file)
    sync(folder)


def _config(rank: int, alpha: float, tensors: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": None,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted({name.split(".")[-3] for name in tensors}),
    }


def _renamed(header: GgufHeader, name: str, values: NDArray[np.float32]) -> tuple[str, NDArray[np.float32]]:
    """A tensor by PEFT's name, its rows in transformers' order. Raises `ValueError` for one that is none of llama's."""
    place = _TENSOR.fullmatch(name)
    if place is None or place[2] not in PROJECTIONS:
        raise ValueError(f"{name} is none of a llama model's projections")
    layer, projection, which = place.groups()
    heads = {"attn_q": "attention.head_count", "attn_k": "attention.head_count_kv"}.get(projection)
    if which == "b" and heads is not None:
        values = split_halves(values, int(header.fields[f"{header.architecture}.{heads}"]))
    full = f"base_model.model.model.layers.{layer}.{PROJECTIONS[projection]}.lora_{which.upper()}.weight"
    return full, np.ascontiguousarray(values, dtype=np.float32)


def split_halves(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """(out, in) in transformers' order of queries and keys: of each head the first of all pairs that rotate together,
    then the second. llama.cpp has the two of a pair beside each other."""
    size = rows.shape[0] // heads // 2
    return rows.reshape(heads, size, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
