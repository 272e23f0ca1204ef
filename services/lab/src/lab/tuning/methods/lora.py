"""What learns beside the layers of an encoder, of the methods for which that is a form among others (`form: lora`)."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.improvement.tuning import FineTuningCreate
from contracts.models.catalog import ModelInfo
from contracts.models.tuning import MOST_MATRICES_BYTES
from lab.tuning.bases import Bases
from lab.tuning.child import run_child
from lab.tuning.errors import FormUnfit, HyperparametersUnfit, MatricesTooLarge
from lab.tuning.method import Work
from lab.tuning.methods.process import MODULE, Limits, read_json, write_json
from lab.tuning.sources.vector_file import KEY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AUTO = {"n_epochs": 3, "batch_size": 16, "learning_rate_multiplier": 1.0}
OF_LORA = frozenset((*AUTO, "rank", "schedule"))
NEEDS = ("torch", "transformers", "safetensors", "tokenizers")
_NO_LAYERS = ("embeddings", "pooler.", "relative_attention_bias")
"""Parts of names of an encoder's matrices that are no layers, or make no vector."""
LEAST_COSINE = 0.99
"""Between a served question and the trainer's: bfloat16 comes to .999 and more."""


def is_lora(settings: Mapping[str, Any]) -> bool:
    """Whether a job learns so."""
    return settings.get("form") == "lora"


def lora_settings(wanted: FineTuningCreate) -> dict[str, Any]:
    """With values in place of `auto`; raises `HyperparametersUnfit` or `FormUnfit`."""
    chosen = wanted.method.embedding.hyperparameters
    if wanted.hyperparameters is not None:
        raise HyperparametersUnfit
    if "l2" in chosen.model_fields_set:
        raise FormUnfit("l2", "projection")
    said = chosen.model_dump(include=set(OF_LORA))
    return {name: AUTO[name] if value == "auto" else value for name, value in said.items()}


def needs_of(settings: Mapping[str, Any]) -> Sequence[str]:
    """What must be installed for a job with these settings, beside what its method needs anyway."""
    return NEEDS if is_lora(settings) else ()


async def check_rank(work: Work, bases: Bases, model: ModelInfo) -> None:
    """Before anything is embedded: raises `MatricesTooLarge` where what would be learnt could not be served."""
    base = await bases.get(model.id, work.token, "embedding")
    layers, rank = await asyncio.to_thread(layers_of, base.weights), int(work.settings["rank"])
    fitting = (one for one in range(rank, 0, -1) if matrices_bytes(layers, one) <= MOST_MATRICES_BYTES)
    most = next(fitting, 0)
    if most < rank:
        raise MatricesTooLarge(model.id, rank, most)


def layers_of(weights: Path) -> Sequence[tuple[int, int]]:
    """The outputs and inputs of the layers of an encoder that learn, by the head of its file."""
    with weights.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        tensors: dict[str, Any] = json.loads(file.read(size))
    shapes = {name: about["shape"] for name, about in tensors.items() if "shape" in about}
    return [
        (shape[0], shape[1])
        for name, shape in shapes.items()
        if len(shape) == 2 and not any(part in name for part in _NO_LAYERS)  # a matrix
    ]


def matrices_bytes(layers: Sequence[tuple[int, int]], rank: int) -> int:
    """Of the matrices beside them as base64 of half precision."""
    return sum(4 * math.ceil(2 * rank * width / 3) for layer in layers for width in layer)


async def lora_job(work: Work, bases: Bases, limits: Limits, model: ModelInfo) -> dict[str, Any]:
    """What the process must know beside what the method gives it; raises what inference says of the model."""
    about = await _encoder(work, bases, model)
    key = await asyncio.to_thread((work.folder / KEY).read_text, encoding="utf-8")
    return {
        **about,
        "base": f"{model.digest} {json.loads(key)['name']}",
        "seed": work.seed,
        "settings": dict(work.settings),
        "most_tokens": limits.most_tokens,
        "threads": limits.threads,
        "general": [],
    }


def steps_of(settings: Mapping[str, Any], examples: int) -> int:
    """That the process makes."""
    epochs, a_batch = int(settings["n_epochs"]), int(settings["batch_size"])
    return epochs * math.ceil(examples / a_batch)


async def trained_vectors(
    work: Work, bases: Bases, limits: Limits, model: ModelInfo, texts: Sequence[str], artifact: bytes
) -> dict[str, Any]:
    """By the trainer, of its base and of what was learnt."""
    job = {**await _encoder(work, bases, model), "threads": limits.threads, "said": list(texts)}
    job["matrices"] = json.loads(artifact)["matrices"]

    async def hear(said: Mapping[str, Any]) -> None:
        """A sign of life."""

    await asyncio.to_thread(write_json, work.folder / "job.json", job)
    await run_child(MODULE, work.folder, hear, limits.silent_seconds)
    return await asyncio.to_thread(read_json, work.folder / "parity.json")


async def _encoder(work: Work, bases: Bases, model: ModelInfo) -> dict[str, Any]:
    base = await bases.get(model.id, work.token, "embedding")
    await asyncio.to_thread(_put_tokenizer, work, base.tokenizer)
    return {"method": "embedding", "form": "lora", "weights": str(base.weights)}


def _put_tokenizer(work: Work, content: bytes) -> None:
    work.folder.mkdir(parents=True, exist_ok=True)
    (work.folder / "tokenizer.json").write_bytes(content)


def alike(found: Sequence[NDArray[np.float64]], wanted: Sequence[Sequence[float]]) -> list[float]:
    """1 for each row that is near to the one that is wanted, else 0; both are at unit length."""
    return [
        float(sum(a * b for a, b in zip(one, other, strict=True)) >= LEAST_COSINE)
        for one, other in zip(found, wanted, strict=True)
    ]
