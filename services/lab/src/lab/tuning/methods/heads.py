"""Heads over frozen vectors: multinomial logistic regression with L2, in plain NumPy.

The loss is convex, so that the same examples give the same head. It is the sum of the examples' cross entropies and
`l2 / 2` times the squared weights; the bias is not held back.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.training.frozen.lbfgs import minimise

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
CHOICES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Of `l2`: vectors have the length 1, so that weights must be large to tell anything."""
FOLDS = 5
MOST_TO_CHOOSE = 2000
"""Examples, drawn by chance: a choice by more would be the same one, later."""
MOST_STEPS = 200
TOLERANCE = 1e-5
"""Of the gradient, an example."""


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """`weights`: labels by dimensions."""

    labels: tuple[str, ...]
    weights: Array
    bias: Array
    l2: float

    def scores(self, vectors: Array) -> Array:
        """The labels' shares for each row."""
        return _softmax(vectors @ self.weights.T + self.bias)

    def predicted(self, vectors: Array) -> list[str]:
        """The likeliest label of each row."""
        return [self.labels[at] for at in (vectors @ self.weights.T + self.bias).argmax(axis=1)]

    def source(self, embedding_model: str, embedding_digest: str | None) -> dict[str, object]:
        """What inference declares as `source.head`."""
        return {
            "labels": list(self.labels),
            "embedding_model": embedding_model,
            "embedding_digest": embedding_digest,
            "weights": base64.b64encode(self.weights.astype("<f4").tobytes()).decode(),
            "bias": [float(number) for number in self.bias.astype(np.float32)],
        }


def fit(vectors: Array, labels: Sequence[str], l2: float) -> TrainedHead:
    """The one best head; raises `ValueError` unless there are two labels at least."""
    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise ValueError("all examples have one label")
    numbers = _numbers(labels, names)
    basis, inner = _in_own_space(np.asarray(vectors, dtype=np.float64))
    weights, bias = _minimised(inner, numbers, len(names), l2)
    return TrainedHead(names, weights @ basis.T, bias, l2)


def choose_l2(vectors: Array, labels: Sequence[str], seed: int = 0) -> float:
    """The `l2` whose heads give left-out examples the highest chance of their labels: so scores are calibrated, too."""
    names = tuple(sorted(set(labels)))
    drawn = np.random.default_rng(seed).permutation(len(labels))[:MOST_TO_CHOOSE]
    numbers = _numbers(labels, names)[drawn]
    _, inner = _in_own_space(np.asarray(vectors, dtype=np.float64)[drawn])
    folds = list(_folds(numbers, seed))
    losses = {l2: sum(_left_out_loss(inner, numbers, len(names), l2, fold) for fold in folds) for l2 in CHOICES}
    return min(losses, key=losses.__getitem__)


def _left_out_loss(vectors: Array, numbers: Labels, count: int, l2: float, fold: NDArray[np.bool_]) -> float:
    weights, bias = _minimised(vectors[~fold], numbers[~fold], count, l2)
    shares = _softmax(vectors[fold] @ weights.T + bias)
    return float(-np.log(np.maximum(shares[np.arange(len(shares)), numbers[fold]], 1e-12)).sum())


def _folds(numbers: Labels, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Masks of what is left out, with every label in about its share."""
    order = np.random.default_rng(seed).permutation(len(numbers))
    ranked = order[np.argsort(numbers[order], kind="stable")]
    place = np.empty(len(numbers), dtype=np.int64)
    place[ranked] = np.arange(len(numbers)) % min(FOLDS, len(numbers))
    for fold in range(min(FOLDS, len(numbers))):
        yield place == fold


def _numbers(labels: Sequence[str], names: Sequence[str]) -> Labels:
    places = {name: at for at, name in enumerate(names)}
    return np.array([places[label] for label in labels], dtype=np.int64)


def _in_own_space(vectors: Array) -> tuple[Array, Array]:
    """An orthonormal basis of the rows' space (dimensions by rows) and the rows in it: the best weights lie there, and
    a few examples make a small problem of it."""
    if vectors.shape[0] >= vectors.shape[1]:
        return np.eye(vectors.shape[1]), vectors
    basis, coordinates = np.linalg.qr(vectors.T)
    return basis, coordinates.T


def _minimised(vectors: Array, numbers: Labels, count: int, l2: float) -> tuple[Array, Array]:
    rows, width = vectors.shape
    wanted = np.zeros((rows, count))
    wanted[np.arange(rows), numbers] = 1

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(count, width + 1)
        outputs = vectors @ weights[:, :-1].T + weights[:, -1]
        highest = outputs.max(axis=1, keepdims=True)
        raised = np.exp(outputs - highest)
        summed = raised.sum(axis=1, keepdims=True)
        entropy = float((np.log(summed) + highest).sum() - (outputs * wanted).sum())
        off = raised / summed - wanted
        slope = np.empty_like(weights)
        slope[:, :-1] = off.T @ vectors + l2 * weights[:, :-1]
        slope[:, -1] = off.sum(axis=0)
        return entropy + l2 / 2 * float((weights[:, :-1] ** 2).sum()), slope.ravel()

    found = minimise(loss, np.zeros(count * (width + 1)), TOLERANCE * rows, MOST_STEPS).reshape(count, width + 1)
    return found[:, :-1], found[:, -1]


def _softmax(outputs: Array) -> Array:
    raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares: Array = raised / raised.sum(axis=1, keepdims=True)
    return shares
