"""Learning how questions of one collection are to be moved, so that the passages that answer them are nearer.

A question's vector x, of unit length, becomes u(x) = (x + x W) / |x + x W|. W has the lowest

    sum over questions of -log(share of what answers it) + l2 · |W|²

where the share is of softmax(u(x) · passages / TEMPERATURE) over all chunks of the collection; of a document that
answers, any chunk may be the one. W is then cut to the rank that is kept. Passages stay as they are. What constants
were chosen by is in docs/measured.md.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.training.frozen.lbfgs import Array, minimise
from lab.training.frozen.ranking import DEPTH, gain
from lab.training.impossible import Impossible

Tell = Callable[..., None]
Vectors = NDArray[np.float32]
TEMPERATURE = 0.03
RANK = 64
TOLERANCE = 1e-3
AT_ONCE = 128
"""Questions whose shares of all chunks are in memory together."""


def run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """Learn what `job.json` says, and leave `result.json`; raises `Impossible`."""
    began = time.perf_counter()
    # Rows: the chunks, then the questions to learn from, then those that are held out.
    vectors = np.fromfile(folder / job["vectors"], dtype="<f4").reshape(-1, job["dimensions"])
    if not np.isfinite(vectors).all():
        raise _not_finite()
    chunks = vectors[: len(job["owners"])]
    train = vectors[len(chunks) : len(chunks) + len(job["train"])]
    held_out = vectors[len(chunks) + len(train) :]
    last = 0.0

    def hear(step: int, value: float) -> None:
        nonlocal last
        if not math.isfinite(value):
            raise _not_finite()
        last = value / len(train)
        tell("step", step=step, figures={"train_loss": last})

    weights = learn(train, [one["chunks"] for one in job["train"]], chunks, job["l2"], job["steps"], hear)
    down, up = of_rank(weights, RANK)
    owners = np.array(job["owners"])
    grades = [{int(document): grade for document, grade in one["grades"].items()} for one in job["held_out"]]
    names = [one["id"] for one in job["held_out"]]
    before = ndcg(held_out, chunks, owners, grades)
    after = ndcg(moved(held_out, down, up), chunks, owners, grades)
    seconds = time.perf_counter() - began
    result = {
        "down": _encoded(down),
        "up": _encoded(up),
        "before": dict(zip(names, before, strict=True)),
        "after": dict(zip(names, after, strict=True)),
        "figures": {"train_loss": last, "moved": float(np.linalg.norm(weights)), "seconds": seconds},
    }
    (folder / "result.json").write_text(json.dumps(result, allow_nan=False), encoding="utf-8")


def learn(
    questions: Vectors,
    answering: Sequence[Sequence[int]],
    chunks: Vectors,
    l2: float,
    steps: int,
    hear: Callable[[int, float], None] = lambda *_: None,
) -> Array:
    """W, dimensions by dimensions; `answering` are the chunks, by number, that may answer each question."""
    width = questions.shape[1]

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(width, width).astype(np.float32)
        value, slope = 0.0, np.zeros((width, width))
        for at in range(0, len(questions), AT_ONCE):
            some = slice(at, at + AT_ONCE)
            part, turn = _loss_of(questions[some], answering[some], chunks, weights)
            value += part
            slope += turn
        return value + l2 * float(flat @ flat), slope.ravel() + 2 * l2 * flat

    return minimise(loss, np.zeros(width * width), TOLERANCE, steps, hear).reshape(width, width)


def _loss_of(
    questions: Vectors, answering: Sequence[Sequence[int]], chunks: Vectors, weights: Vectors
) -> tuple[float, Vectors]:
    """The loss of some questions, and its slope by W."""
    outputs = questions + questions @ weights
    lengths = np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
    units = outputs / lengths
    near = units @ chunks.T / np.float32(TEMPERATURE)
    right = np.zeros(near.shape, dtype=bool)
    for row, those in enumerate(answering):
        right[row, list(those)] = True
    shares, all_of_it = _shares(near)
    wanted, of_right = _shares(np.where(right, near, -np.inf))
    by_unit = (shares - wanted) @ chunks / np.float32(TEMPERATURE)
    by_output = (by_unit - units * (units * by_unit).sum(axis=1, keepdims=True)) / lengths
    return float((all_of_it - of_right).sum(dtype=np.float64)), questions.T @ by_output


def _shares(outputs: Vectors) -> tuple[Vectors, Vectors]:
    """Softmax of each row, and the logarithm of its sum."""
    highest = outputs.max(axis=1, keepdims=True)
    raised = np.exp(outputs - highest)
    summed = raised.sum(axis=1, keepdims=True)
    return raised / summed, (np.log(summed) + highest)[:, 0]


def of_rank(weights: Array, rank: int) -> tuple[Vectors, Vectors]:
    """The two matrices of this rank that are nearest to it together."""
    left, sizes, right = np.linalg.svd(weights)
    kept = min(rank, len(sizes))
    root = np.sqrt(sizes[:kept])
    return (left[:, :kept] * root).astype(np.float32), (root[:, None] * right[:kept]).astype(np.float32)


def moved(questions: Vectors, down: Vectors, up: Vectors) -> Vectors:
    """As inference moves them."""
    outputs = questions + (questions @ down) @ up
    unit: Vectors = outputs / np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12)
    return unit


def ndcg(
    questions: Vectors, chunks: Vectors, owners: NDArray[np.int64], grades: Sequence[Mapping[int, int]]
) -> list[float]:
    """nDCG@10 of the documents, each by its nearest chunk, as a search in mode `dense` ranks them; `owners` are the
    chunks' documents, by number."""
    found: list[float] = []
    for question, graded in zip(questions, grades, strict=True):
        near = chunks @ question
        best = np.full(int(owners.max()) + 1, -np.inf, dtype=np.float32)
        np.maximum.at(best, owners, near)
        ranked = np.argsort(-best, kind="stable")[:DEPTH]
        ideal = sorted(graded.values(), reverse=True)[:DEPTH]
        found.append(gain([graded.get(int(one), 0) for one in ranked]) / gain(ideal))
    return found


def _encoded(matrix: Vectors) -> str:
    return base64.b64encode(matrix.astype("<f4").tobytes()).decode()


def _not_finite() -> Impossible:
    return Impossible(
        "loss_not_finite", "The loss became no number: the embedding model gives vectors that are none. Choose another."
    )
