"""The encoder of an embedding model, as inference gives it: one file with its weights in float32, and in that file's
metadata what makes vectors of them; and the matrices that are learnt beside its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from lab.training.impossible import not_tunable
from lab.training.lora import LoraLinear, add_lora

ABOUT = "encoder"
"""Names what is said of the weights beside them."""
LEAST_TOKENS = 1e-9
"""The mean of no token is nothing, not an error."""
ABOVE = "pooler."
"""Begins the names of what makes no vector."""
Matrices = Mapping[str, Mapping[str, str]]
"""By the name of a layer: `down` and `up`, as base64 of little-endian float16."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Texts to vectors."""

    module: Any
    tokenizer: Tokenizer
    pooling: str
    limit: int
    prefix: str
    """What comes before a question."""

    def ids(self, text: str) -> list[int]:
        """A question's tokens, as many as the model reads."""
        found: list[int] = self.tokenizer.encode(self.prefix + text).ids
        return found

    def vectors(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """(texts, dimensions) at unit length."""
        width = max(map(len, rows))
        ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = torch.tensor(row)
            mask[at, : len(row)] = 1
        hidden = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        if self.pooling == "cls":
            pooled = hidden[:, 0]
        else:
            shown = mask.unsqueeze(-1).float()
            pooled = (hidden * shown).sum(1) / shown.sum(1).clamp(min=LEAST_TOKENS)
        return functional.normalize(pooled, p=2, dim=1)


def load_encoder(weights: Path, tokenizer: Path) -> Encoder:
    """In float32, frozen; raises `Impossible`."""
    from transformers import AutoConfig, AutoModel

    try:
        with safe_open(weights, framework="pt") as opened:
            about = json.loads((opened.metadata() or {})[ABOUT])
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # it is no dict
        module = AutoModel.from_config(AutoConfig.for_model(**about["config"]), dtype=torch.float32).eval()
        module.load_state_dict(state)
        tokens = Tokenizer.from_file(str(tokenizer))
        limit, pooling, prefix = int(about["limit"]), str(about["pooling"]), str(about["prefix"])
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise not_tunable(f"its weights can't be read ({str(error)[:200]})") from None
    tokens.enable_truncation(limit)
    tokens.no_padding()
    return Encoder(module.requires_grad_(False), tokens, pooling, limit, prefix)


def add_matrices(encoder: Encoder, rank: int, seed: int) -> Mapping[str, LoraLinear]:
    """Beside every linear layer that a vector goes through, by its name."""
    names = {
        name
        for name, layer in encoder.module.named_modules()
        if isinstance(layer, nn.Linear) and not name.startswith(ABOVE)
    }
    return add_lora(encoder.module, rank, 2.0 * rank, seed, names)


def write_matrices(learnt: Mapping[str, LoraLinear]) -> Matrices:
    """As they are served: in half precision, the scale in `up`."""
    return {
        name: {"down": _encoded(one.a.detach()), "up": _encoded(one.scale * one.b.detach())}
        for name, one in learnt.items()
    }


def put_matrices(encoder: Encoder, matrices: Matrices) -> None:
    """Add them to the encoder's own, as they are served."""
    with torch.no_grad():
        for name, one in matrices.items():
            layer = encoder.module.get_submodule(name)
            weight = (layer.inner if isinstance(layer, LoraLinear) else layer).weight
            down, up = _decoded(one["down"], -1, weight.shape[1]), _decoded(one["up"], weight.shape[0], -1)
            weight += up @ down


def remove_matrices(learnt: Mapping[str, LoraLinear]) -> None:
    """Have the layers do what they did before."""
    with torch.no_grad():
        for one in learnt.values():
            one.b.zero_()


def _encoded(matrix: Tensor) -> str:
    return base64.b64encode(matrix.numpy().astype("<f2").tobytes()).decode()


def _decoded(text: str, rows: int, columns: int) -> Tensor:
    content = bytearray(base64.b64decode(text))
    return torch.frombuffer(content, dtype=torch.float16).float().reshape(rows, columns)
