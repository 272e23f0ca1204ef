from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.training.frozen import projection
from lab.training.frozen.projection import Vectors, learn, moved, ndcg, of_rank, run
from lab.training.impossible import Impossible

WIDTH = 24


def _unit(rows: Any) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _turned(count: int, seed: int = 1) -> tuple[Vectors, Vectors, list[list[int]]]:
    """Questions that lie beside their chunks, all by the same turn of the space: what can be learnt."""
    chance = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]
    chunks = _unit(chance.normal(size=(count, WIDTH)))
    questions = _unit(0.35 * chunks + chunks @ turn)
    return questions, chunks, [[at] for at in range(count)]


def _found(questions: Vectors, chunks: Vectors) -> float:
    return float(np.mean(ndcg(questions, chunks, np.arange(len(chunks)), [{at: 1} for at in range(len(questions))])))


def test_new_questions_find_what_answers_them_better_than_before() -> None:
    questions, chunks, answering = _turned(300)
    down, up = of_rank(learn(questions[:200], answering[:200], chunks, 1.0, 40), WIDTH)
    before, after = _found(questions[200:], chunks[200:]), _found(moved(questions[200:], down, up), chunks[200:])
    assert before < 0.5 < 0.8 < after


def test_the_slope_is_that_of_the_loss() -> None:
    questions, chunks, answering = _turned(12)
    weights = np.random.default_rng(2).normal(scale=0.1, size=(WIDTH, WIDTH)).astype(np.float32)
    answering[3] = [3, 7]
    _, slope = projection._loss_of(questions, answering, chunks, weights)
    for row, column in ((0, 0), (5, 9), (23, 1)):
        step = np.zeros_like(weights)
        step[row, column] = 1e-2
        up, _ = projection._loss_of(questions, answering, chunks, weights + step)
        low, _ = projection._loss_of(questions, answering, chunks, weights - step)
        assert slope[row, column] == pytest.approx((up - low) / 2e-2, rel=0.02, abs=0.02)


def test_the_more_it_is_held_back_the_less_is_moved_and_the_same_data_give_the_same_weights() -> None:
    questions, chunks, answering = _turned(60)
    free, again, held = (learn(questions, answering, chunks, l2, 20) for l2 in (1.0, 1.0, 1000.0))
    assert (free == again).all()
    assert np.linalg.norm(held) < np.linalg.norm(free) / 10


def test_what_is_cut_to_a_rank_is_nearest_and_whole_at_the_full_one() -> None:
    weights = np.random.default_rng(0).normal(size=(6, 6))
    down, up = of_rank(weights, 64)
    assert (down.shape, up.shape) == ((6, 6), (6, 6))
    assert down @ up == pytest.approx(weights, abs=1e-5)
    down, up = of_rank(weights, 2)
    assert (down.shape, up.shape) == ((6, 2), (2, 6))
    rest = np.linalg.svd(weights)[1][2:]
    assert np.linalg.norm(weights - down @ up) == pytest.approx(np.linalg.norm(rest), abs=1e-5)


def test_documents_are_ranked_by_their_nearest_chunk_with_their_grades() -> None:
    chunks = np.eye(4, dtype=np.float32)
    owners = np.array([0, 1, 1, 2])
    questions = _unit([[0.1, 0.2, 0.9, 0.5], [0.9, 0.3, 0.0, 0.0]])
    found = ndcg(questions, chunks, owners, [{1: 1}, {0: 1, 1: 2}])
    ideal = 2 + 1 / np.log2(3)
    assert found == pytest.approx([1.0, (1 + 2 / np.log2(3)) / ideal])


def _job(folder: Path, vectors: Vectors, chunks: int, train: int) -> dict[str, Any]:
    (folder / "rows").write_bytes(vectors.astype("<f4").tobytes())
    job = {
        "vectors": "rows",
        "dimensions": WIDTH,
        "steps": 20,
        "l2": 1.0,
        "owners": list(range(chunks)),
        "train": [{"id": f"q{at}", "chunks": [at]} for at in range(train)],
        "held_out": [{"id": f"q{at}", "grades": {str(at): 1}} for at in range(train, chunks)],
    }
    return json.loads(json.dumps(job))  # type: ignore[no-any-return]


def test_a_job_leaves_what_it_learnt_and_how_each_question_did(tmp_path: Path) -> None:
    questions, chunks, _ = _turned(80)
    told: list[dict[str, Any]] = []
    job = _job(tmp_path, np.concatenate([chunks, questions]), 80, 60)
    run(tmp_path, job, lambda event, **more: told.append({"event": event, **more}))
    result = json.loads((tmp_path / "result.json").read_text())
    down = np.frombuffer(base64.b64decode(result["down"]), "<f4").reshape(WIDTH, -1)
    up = np.frombuffer(base64.b64decode(result["up"]), "<f4").reshape(-1, WIDTH)
    after = ndcg(moved(questions[60:], down, up), chunks, np.arange(80), [{at: 1} for at in range(60, 80)])
    assert list(result["after"].values()) == pytest.approx(after)
    assert sorted(result["before"]) == sorted(result["after"]) == [f"q{at}" for at in range(60, 80)]
    assert [one["step"] for one in told] == list(range(1, len(told) + 1))
    assert told[-1]["figures"]["train_loss"] == pytest.approx(result["figures"]["train_loss"])


def test_vectors_that_hold_no_numbers_teach_nothing(tmp_path: Path) -> None:
    questions, chunks, _ = _turned(20)
    questions[3, 3] = np.nan
    job = _job(tmp_path, np.concatenate([chunks, questions]), 20, 12)
    with pytest.raises(Impossible, match="became no number") as refused:
        run(tmp_path, job, lambda *_, **__: None)
    assert refused.value.code == "loss_not_finite"
