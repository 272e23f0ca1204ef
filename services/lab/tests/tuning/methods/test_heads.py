from __future__ import annotations

import base64

import numpy as np
import pytest

from lab.tuning.methods.heads import Array, choose_l2, fit


def _examples(count: int, labels: int, dimensions: int, noise: float, seed: int = 0) -> tuple[Array, list[str]]:
    """Texts of each label around a point of its own, on the sphere as vectors of texts are."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(labels, dimensions))
    numbers = np.arange(count) % labels
    vectors = centres[numbers] + noise * chance.normal(size=(count, dimensions))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), [f"label {number}" for number in numbers]


@pytest.mark.parametrize(("count", "dimensions"), [(12, 40), (60, 8)])
def test_no_other_weights_have_a_lower_loss(count: int, dimensions: int) -> None:
    vectors, labels = _examples(count, 3, dimensions, 1.0)
    head = fit(vectors, labels, 0.1)
    wanted = np.array([[label == name for name in head.labels] for label in labels], dtype=float)
    off = head.scores(vectors) - wanted
    assert off.T @ vectors + 0.1 * head.weights == pytest.approx(0, abs=1e-3), "the slope is nothing there"
    assert off.sum(axis=0) == pytest.approx(0, abs=1e-3)


def test_new_texts_get_the_label_of_those_like_them_and_scores_are_one_together() -> None:
    head = fit(*_examples(48, 3, 64, 1.0), 0.1)
    vectors, labels = _examples(300, 3, 64, 1.0, seed=1)
    assert np.mean([a == b for a, b in zip(head.predicted(vectors), labels, strict=True)]) > 0.95
    assert head.scores(vectors).sum(axis=1) == pytest.approx(1)


def test_the_same_examples_give_the_same_head_to_the_last_bit() -> None:
    vectors, labels = _examples(48, 3, 64, 1.0)
    one, other = (fit(vectors, labels, choose_l2(vectors, labels, seed=3)) for _ in range(2))
    assert (one.l2, one.source("m", None)) == (other.l2, other.source("m", None))


def test_the_noisier_the_examples_the_more_the_weights_are_held_back() -> None:
    clear, noisy = (choose_l2(*_examples(90, 3, 64, noise)) for noise in (0.3, 6.0))
    assert clear < noisy


def test_examples_of_one_label_teach_nothing() -> None:
    with pytest.raises(ValueError, match="one label"):
        fit(np.eye(3), ["a"] * 3, 0.1)


def test_it_is_given_to_inference_as_it_was_fitted() -> None:
    vectors, labels = _examples(30, 2, 16, 1.0)
    head = fit(vectors, labels, 0.1)
    source = head.source("words", "sha256:ab")
    weights = np.frombuffer(base64.b64decode(str(source["weights"])), dtype="<f4").reshape(2, 16)
    assert weights == pytest.approx(head.weights, abs=1e-6)
    assert (source["labels"], source["embedding_model"], source["embedding_digest"]) == (
        ["label 0", "label 1"],
        "words",
        "sha256:ab",
    )
