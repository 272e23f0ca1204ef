"""Two small fits by gradient descent (Adam), enough for a handful of features: a choice among many, and yes or no."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Rows = Sequence[tuple[np.ndarray, Sequence[bool]]]


def fit_choice(rows: Rows, penalty: float = 1e-3) -> np.ndarray:
    """Weights under which the right candidates of each row are most likely (softmax over the row's candidates)."""
    scale = np.concatenate([features for features, _ in rows]).std(0) + 1e-6
    scaled = [(features / scale, np.array(right, dtype=float)) for features, right in rows]

    def slope(weights: np.ndarray) -> np.ndarray:
        total = -penalty * weights * len(scaled)
        for features, right in scaled:
            scores = features @ weights
            likely = np.exp(scores - scores.max())
            likely /= likely.sum()
            wanted = likely * right
            total += features.T @ (wanted / wanted.sum() - likely)
        return total / len(scaled)

    return _ascend(slope, len(scale), steps=400) / scale


def fit_logistic(
    values: np.ndarray,
    yes: np.ndarray,
    weight: np.ndarray,
    penalty: float = 1e-2,
    offset: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Weights of the features, then the bias; `offset` is a part of the log odds that is given."""
    mean, scale = values.mean(0), values.std(0) + 1e-6
    scaled = np.column_stack([(values - mean) / scale, np.ones(len(values))])

    def slope(weights: np.ndarray) -> np.ndarray:
        chance = 1 / (1 + np.exp(-(scaled @ weights + offset)))
        shrink = penalty * np.append(weights[:-1], 0.0)
        return scaled.T @ (weight * (yes - chance)) / weight.sum() - shrink

    fitted = _ascend(slope, scaled.shape[1], steps=800)
    plain = fitted[:-1] / scale
    return np.append(plain, fitted[-1] - plain @ mean)


def auc(scores: np.ndarray, yes: np.ndarray) -> float:
    """The chance that a yes scores higher than a no."""
    order = np.argsort(scores)
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    count = yes.sum()
    return float((ranks[yes].sum() - count * (count + 1) / 2) / (count * (len(yes) - count)))


def right_among(rows: Sequence[tuple[np.ndarray, Sequence[bool]]], first: int) -> float:
    """How often a right candidate is among the `first` best scored ones."""
    return float(np.mean([np.array(right)[np.argsort(-scores)[:first]].any() for scores, right in rows]))


def _ascend(slope: Callable[[np.ndarray], np.ndarray], size: int, steps: int) -> np.ndarray:
    weights, first, second = np.zeros(size), np.zeros(size), np.zeros(size)
    for step in range(1, steps + 1):
        gradient = slope(weights)
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        weights += 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return weights
