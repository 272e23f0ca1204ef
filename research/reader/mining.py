"""Finds passages that look like an answer and are none: the likest texts by the packaged embeddings."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from research.reader.examples import CHARACTERS, Reading

FOUND, KEPT = 24, 4
"""Texts that a search gives, and how many of them are kept."""
BATCH = 64


def mine(readings: Sequence[Reading], folder: Path, kept: Path) -> dict[str, list[str]]:
    """By question, for those that have an answer; from the file `kept` if it is there."""
    if kept.is_file():
        found: dict[str, list[str]] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    answered = [one for one in readings if one.spans]
    texts = sorted({one.text[:CHARACTERS] for one in readings})
    of_texts = _embed(texts, folder)
    mined: dict[str, list[str]] = {}
    for start in range(0, len(answered), 512):
        batch = answered[start : start + 512]
        likeness = _embed([one.question for one in batch], folder) @ of_texts.T
        best = np.argpartition(-likeness, FOUND, axis=1)[:, :FOUND]
        for reading, places in zip(batch, best, strict=True):
            mined[reading.question] = _misses(reading, [texts[at] for at in places])
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(mined), encoding="utf-8")
    return mined


def _misses(reading: Reading, found: list[str]) -> list[str]:
    said = [answer.lower() for answer in reading.answers]
    fitting = [text for text in found if not any(answer in text.lower() for answer in said)]
    return random.Random(reading.question).sample(fitting, min(KEPT, len(fitting)))


_MODELS: dict[Path, tuple[Any, Any]] = {}


def _embed(texts: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """Unit vectors (texts, 384), the mean of the tokens as the model's card has it."""
    if folder not in _MODELS:
        model = transformers.AutoModel.from_pretrained(folder, dtype=torch.bfloat16, add_pooling_layer=False).eval()
        _MODELS[folder] = (model, transformers.AutoTokenizer.from_pretrained(folder))
    model, tokenizer = _MODELS[folder]
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    made = np.zeros((len(texts), 384), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            coded = tokenizer(
                [texts[at] for at in rows], truncation=True, max_length=200, padding=True, return_tensors="pt"
            )
            hidden = model(**coded).last_hidden_state.float()
            mask = coded["attention_mask"].unsqueeze(-1).float()
            made[rows] = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    return made
