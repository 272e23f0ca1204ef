"""The encoder of an embedding or a reading model, as inference gives it: one file with its weights in float32, and in
that file's metadata what makes vectors of them; and the matrices that are learnt beside its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
HEAD = "head."
"""Begins those of what a reading model makes odds with."""
Matrices = Mapping[str, Mapping[str, str]]
"""By the name of a layer: `down` and `up`, as base64 of little-endian float16."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a passage in tokens, and to which of them each belongs."""

    ids: Sequence[int]
    kinds: Sequence[int]

    @property
    def width(self) -> int:
        """Tokens."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Texts to vectors, or pairs of texts to what a reading model sees in them."""

    module: Any
    tokenizer: Tokenizer
    pooling: str
    limit: int
    prefix: str
    """What comes before a question."""
    head: Mapping[str, Tensor] = field(default_factory=dict)
    """Of a reading model."""

    def ids(self, text: str) -> list[int]:
        """A question's tokens, as many as the model reads."""
        found: list[int] = self.tokenizer.encode(self.prefix + text).ids
        return found

    def vectors(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """(texts, dimensions) at unit length."""
        ids, mask = _padded(rows), _padded([[1] * len(row) for row in rows])
        hidden = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = hidden[:, 0] if self.pooling == "cls" else _mean(hidden, mask)
        return functional.normalize(pooled, p=2, dim=1)

    def pair(self, question: str, passage: str) -> Pair:
        """The longer of the two is cut where both are more than the model reads."""
        found = self.tokenizer.encode(question, passage)
        return Pair(found.ids, found.type_ids)

    def features(self, pairs: Sequence[Pair]) -> Tensor:
        """(pairs, twice the dimensions): of the first token, and the mean of all."""
        ids, mask = _padded([one.ids for one in pairs]), _padded([[1] * one.width for one in pairs])
        kinds = _padded([one.kinds for one in pairs])
        more = {"token_type_ids": kinds} if bool(kinds.any()) else {}  # others know none
        hidden = self.module(input_ids=ids, attention_mask=mask, **more).last_hidden_state
        return torch.cat((hidden[:, 0], _mean(hidden, mask)), dim=1)

    def odds(self, features: Tensor) -> Tensor:
        """(pairs,): the logarithm, as the reading model itself has it."""
        mixed = functional.gelu(functional.linear(features, self.head["mix.weight"], self.head["mix.bias"]))
        found: Tensor = functional.linear(mixed, self.head["answers.weight"], self.head["answers.bias"])[:, 0]
        return found


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """(rows, the longest)."""
    found = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for at, row in enumerate(rows):
        found[at, : len(row)] = torch.tensor(row)
    return found


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    shown = mask.unsqueeze(-1).float()
    return (hidden * shown).sum(1) / shown.sum(1).clamp(min=LEAST_TOKENS)


def load_encoder(weights: Path, tokenizer: Path) -> Encoder:
    """In float32, frozen; raises `Impossible`."""
    from transformers import AutoConfig, AutoModel

    try:
        with safe_open(weights, framework="pt") as opened:
            about = json.loads((opened.metadata() or {})[ABOUT])
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # it is no dict
        head = {name.removeprefix(HEAD): state.pop(name) for name in list(state) if name.startswith(HEAD)}
        module = AutoModel.from_config(AutoConfig.for_model(**about["config"]), dtype=torch.float32).eval()
        _put_state(module, state)
        tokens = Tokenizer.from_file(str(tokenizer))
        limit, pooling, prefix = int(about["limit"]), str(about["pooling"]), str(about["prefix"])
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise not_tunable(f"its weights can't be read ({str(error)[:200]})") from None
    tokens.enable_truncation(limit)
    tokens.no_padding()
    return Encoder(module.requires_grad_(False), tokens, pooling, limit, prefix, head)


def _put_state(module: Any, state: Mapping[str, Tensor]) -> None:
    """Raise `KeyError` unless it is all of the module, but for what makes no vector."""
    lacking, unknown = module.load_state_dict(state, strict=False)
    if odd := [*(name for name in lacking if not name.startswith(ABOVE)), *unknown]:
        raise KeyError(odd[0])


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
