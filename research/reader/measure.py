"""What the reader tells of texts that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from research.calibration.fits import auc
from research.reader.choices import heading, passages
from research.reader.examples import SUPPORTED, Example
from research.reader.mix import Mix
from research.reader.model import ReaderModel, coded
from research.reader.sources import UNSEEN, ours

BATCH = 48
ANSWERED, IN_VAIN = 3, 2
"""Questions of each section of an unseen document."""
MOST = 4000
"""Examples of the mix that are looked at while it trains."""
TEMPERATURES = np.geomspace(0.5, 4.0, 61)
Logits = dict[str, NDArray[np.float32]]


def predicted(model: ReaderModel, tokenizer: Any, examples: Sequence[Example]) -> Logits:
    """Logits `answers` and `fits` (examples), `entails` (examples, 3), in their order."""
    was_training = model.training
    model.eval()
    order = sorted(range(len(examples)), key=lambda at: len(examples[at].second))
    made = {"answers": np.zeros(len(examples), np.float32), "fits": np.zeros(len(examples), np.float32)}
    made["entails"] = np.zeros((len(examples), 3), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            found = model(coded([examples[at] for at in rows], tokenizer))
            for name, values in made.items():
                values[rows] = found[name].numpy()
    model.train(was_training)
    return made


def held_out_examples(mix: Mix) -> list[Example]:
    """One epoch of it."""
    return mix.epoch(0)


def measure(model: ReaderModel, tokenizer: Any, mix: Mix) -> None:
    """Print the area under the curve of answers, by hand and made, and what is told of sentences."""
    hard = [
        Example(one.question, one.text, answers=bool(one.spans))
        for one in mix.readings
        if one.source in ("squad2_train_part", "squad2cr_near") and (one.spans or one.by_hand)
    ]
    own = [Example(one.question, f"{one.heading}\n{one.text}", answers=bool(one.spans))
           for one in mix.readings if one.source == "policies"]  # fmt: skip
    every = held_out_examples(mix)[:MOST]
    asked = [one for one in every if one.answers is not None]
    for name, examples in (("near misses", hard), ("own texts", own), ("questions", asked)):
        right = np.array([bool(one.answers) for one in examples])
        if 0 < right.sum() < len(right):
            said = predicted(model, tokenizer, examples)["answers"]
            print(f"  held out, {name}: {len(right)}, area {auc(said, right):.3f}", flush=True)
    judged = [one for one in every if one.support is not None]
    if judged:
        right = np.array([one.support == SUPPORTED for one in judged])
        said = predicted(model, tokenizer, judged)["entails"].argmax(1) == 0
        balanced = (said[right].mean() + 1 - said[~right].mean()) / 2
        print(f"  held out, sentences: {len(judged)}, balanced accuracy {balanced:.3f}", flush=True)


def measure_unseen(model: ReaderModel, tokenizer: Any) -> None:
    """Print how often, of all passages of an unseen document, the likeliest answers, and the area under the curve of
    the likeliest one's odds, where one answers against where none does."""
    documents: dict[str, list[dict[str, Any]]] = {}
    for row in ours([UNSEEN]):
        documents.setdefault(row["title"], []).append(row)
    first, best, there = [], [], []
    for rows in documents.values():
        texts = [(row, text) for row in rows for text in passages(row["text"])]
        asked: list[tuple[dict[str, Any], str, str | None]] = []
        for row in rows:
            asked += [(row, one["q"], one["a"].lower()) for one in row["questions"][:ANSWERED]]
            asked += [(row, question, None) for question in row["unanswerable"][:IN_VAIN]]
        for of, question, answer in asked:
            said = predicted(model, tokenizer, [Example(question, f"{heading(row)}\n{text}") for row, text in texts])
            likeliest, text = texts[int(said["answers"].argmax())]
            best.append(float(said["answers"].max()))
            there.append(answer is not None)
            if answer is not None:
                first.append(likeliest is of and answer in text.lower())
    area = auc(np.array(best), np.array(there))
    print(
        f"  unseen documents: {len(first)} questions, an answer first {np.mean(first):.3f}; area {area:.3f}", flush=True
    )


def temperature(logits: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """What logits are divided by so that their chances fit best (Guo et al. 2017, arXiv:1706.04599)."""

    def loss(divisor: float) -> float:
        scaled = logits / divisor
        return float(np.logaddexp(0, np.where(right, -scaled, scaled)).mean())

    return float(min(TEMPERATURES, key=loss))
