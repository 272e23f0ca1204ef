"""What learns beside the layers of an encoder, of the methods for which that is a form among others (`form: lora`)."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from contracts.improvement.tuning import EmbeddingMethod, FineTuningCreate, ReadingMethod
from contracts.models.catalog import ModelInfo
from contracts.models.tuning import MOST_MATRICES_BYTES
from lab.tuning.bases import Base, Bases
from lab.tuning.child import run_child
from lab.tuning.errors import FormUnfit, HyperparametersUnfit, MatricesTooLarge
from lab.tuning.method import Work
from lab.tuning.methods.process import MODULE, Limits, read_json, settings_of, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AUTO: Mapping[str, float] = {"n_epochs": 3, "batch_size": 16, "learning_rate_multiplier": 1.0}
OF_LORA = frozenset((*AUTO, "rank", "schedule"))
NEEDS = ("torch", "transformers", "safetensors", "tokenizers")
_NO_LAYERS = ("embeddings", "pooler.", "relative_attention_bias", "head.")
"""Parts of names of an encoder's matrices that are no layers, or make no vector."""
LEAST_COSINE = 0.99
"""Between a served question and the trainer's: bfloat16 comes to .999 and more."""


def is_lora(settings: Mapping[str, Any]) -> bool:
    """Whether a job learns so."""
    return settings.get("form") == "lora"


def formed_settings(
    wanted: FineTuningCreate,
    name: str,
    chosen: EmbeddingMethod | ReadingMethod,
    l2: float,
    auto: Mapping[str, float] = AUTO,
) -> dict[str, Any]:
    """Of the method of that name, by the form that is chosen, with values in place of `auto`: `l2` of the usual form,
    others of `lora`. Raises `HyperparametersUnfit` or `FormUnfit`."""
    given = chosen.hyperparameters
    if given.form != "lora":
        if others := sorted(given.model_fields_set & OF_LORA):
            raise FormUnfit(name, others[0], "lora")
        return settings_of(wanted, chosen, l2)
    if wanted.hyperparameters is not None:
        raise HyperparametersUnfit
    if "l2" in given.model_fields_set:
        raise FormUnfit(name, "l2", type(given).model_fields["form"].default)
    said = given.model_dump(include=set(OF_LORA))
    settings = {each: auto[each] if value == "auto" else value for each, value in said.items()}
    return {"collection": chosen.collection, "form": "lora", **settings}


def needs_of(settings: Mapping[str, Any]) -> Sequence[str]:
    """What must be installed for a job with these settings, beside what its method needs anyway."""
    return NEEDS if is_lora(settings) else ()


async def check_rank(work: Work, bases: Bases, model: ModelInfo, method: str) -> Base:
    """The encoder that it learns on, before anything is embedded or searched; raises `MatricesTooLarge` where what
    would be learnt could not be served."""
    base = await bases.get(model.id, work.token, _kind(model))
    layers, rank = await asyncio.to_thread(layers_of, base.weights), int(work.settings["rank"])
    fitting = (one for one in range(rank, 0, -1) if matrices_bytes(layers, one) <= MOST_MATRICES_BYTES)
    most = next(fitting, 0)
    if most < rank:
        raise MatricesTooLarge(method, model.id, rank, most)
    return base


def header_of(weights: Path) -> dict[str, Any]:
    """The head of a file of safetensors: its tensors, and what is said of them."""
    with weights.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        found: dict[str, Any] = json.loads(file.read(size))
    return found


def layers_of(weights: Path) -> Sequence[tuple[int, int]]:
    """The outputs and inputs of the layers of an encoder that learn, by the head of its file."""
    shapes = {name: about["shape"] for name, about in header_of(weights).items() if "shape" in about}
    return [
        (shape[0], shape[1])
        for name, shape in shapes.items()
        if len(shape) == 2 and not any(part in name for part in _NO_LAYERS)  # a matrix
    ]


def matrices_bytes(layers: Sequence[tuple[int, int]], rank: int) -> int:
    """Of the matrices beside them as base64 of half precision."""
    return sum(4 * math.ceil(2 * rank * width / 3) for layer in layers for width in layer)


async def lora_job(work: Work, bases: Bases, limits: Limits, model: ModelInfo, seen: str) -> dict[str, Any]:
    """What the process must know beside what the method gives it, where `seen` names the texts that it learns from;
    raises what inference says of the model."""
    return {
        **await _encoder(work, bases, model),
        "base": f"{model.digest} {seen}",
        "seed": work.seed,
        "settings": dict(work.settings),
        "most_tokens": limits.most_tokens,
        "threads": limits.threads,
    }


def steps_of(settings: Mapping[str, Any], examples: int) -> int:
    """That the process makes."""
    epochs, a_batch = int(settings["n_epochs"]), int(settings["batch_size"])
    return epochs * math.ceil(examples / a_batch)


async def by_trainer(
    work: Work, bases: Bases, limits: Limits, model: ModelInfo, texts: Sequence[Any], artifact: bytes
) -> dict[str, Any]:
    """What it makes of texts, of its base and of what was learnt."""
    job = {**await _encoder(work, bases, model), "threads": limits.threads, "said": list(texts)}
    job["artifact"] = json.loads(artifact)

    async def hear(said: Mapping[str, Any]) -> None:
        """A sign of life."""

    await asyncio.to_thread(write_json, work.folder / "job.json", job)
    await run_child(MODULE, work.folder, hear, limits.silent_seconds)
    return await asyncio.to_thread(read_json, work.folder / "parity.json")


async def _encoder(work: Work, bases: Bases, model: ModelInfo) -> dict[str, Any]:
    base = await bases.get(model.id, work.token, _kind(model))
    await asyncio.to_thread(_put_tokenizer, work, base.tokenizer)
    return {"method": _kind(model), "form": "lora", "weights": str(base.weights)}


def _kind(model: ModelInfo) -> Literal["embedding", "reading"]:
    return "reading" if model.kind == "reading" else "embedding"


def _put_tokenizer(work: Work, content: bytes) -> None:
    work.folder.mkdir(parents=True, exist_ok=True)
    (work.folder / "tokenizer.json").write_bytes(content)


def alike(found: Sequence[NDArray[np.float64]], wanted: Sequence[Sequence[float]]) -> list[float]:
    """1 for each row that is near to the one that is wanted, else 0; both are at unit length."""
    return [
        float(sum(a * b for a, b in zip(one, other, strict=True)) >= LEAST_COSINE)
        for one, other in zip(found, wanted, strict=True)
    ]
