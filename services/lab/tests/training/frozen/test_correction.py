from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.training.frozen import correction
from lab.training.frozen.correction import Read, firsts, learn, order, run, separation
from lab.training.frozen.ranking import Found
from lab.training.impossible import Impossible

WIDTH, PASSAGES = 12, 5


def _read(count: int, seed: int = 1) -> Read:
    """Questions with five passages each. What answers is told by one feature that the odds know little of."""
    chance = np.random.default_rng(seed)
    answers = np.zeros((count, PASSAGES), dtype=bool)
    answers[np.arange(count), chance.integers(0, PASSAGES, count)] = True
    answers[::4] = False  # of some questions nothing answers
    features = chance.normal(size=(count, PASSAGES, WIDTH))
    features[:, :, 3] = 5 + 2 * answers + chance.normal(scale=0.7, size=answers.shape)
    odds = 0.6 * answers + chance.normal(size=answers.shape)
    questions = np.repeat(np.arange(count), PASSAGES)
    return Read(odds.ravel(), features.reshape(-1, WIDTH), answers.ravel(), questions)


def test_new_questions_are_told_better_than_before() -> None:
    read = _read(300)
    held_out = read.of(range(200, 300))
    learnt = learn(read.of(range(200)), 10.0, 60)
    before, after = held_out.odds, learnt.corrected(held_out)
    assert separation(before, held_out)[1] < 0.7 < 0.85 < separation(after, held_out)[1]
    assert firsts(before, held_out) < 0.6 < 0.85 < firsts(after, held_out)


def test_corrected_chances_are_as_often_right_as_they_say() -> None:
    read = _read(400)
    odds = learn(read, 1.0, 60).corrected(read)
    chances = 1 / (1 + np.exp(-odds))
    assert chances.mean() == pytest.approx(read.answers.mean(), abs=0.03)


def test_the_slope_is_that_of_the_loss() -> None:
    read = _read(8)
    _, slope = correction._loss_of(read.odds, read)
    for at in (0, 7, 23, 39):
        step = np.zeros_like(read.odds)
        step[at] = 1e-4
        more, less = (correction._loss_of(read.odds + sign * step, read)[0] for sign in (1, -1))
        assert slope[at] == pytest.approx((more - less) / 2e-4, abs=1e-6)


def test_the_more_it_is_held_back_the_less_is_corrected_and_the_same_data_give_the_same_weights() -> None:
    read = _read(60)
    free, again, held = (learn(read, l2, 40) for l2 in (1.0, 1.0, 1e6))
    assert (free.weights == again.weights).all()
    assert np.linalg.norm(held.weights) < np.linalg.norm(free.weights) / 100
    assert held.scale == pytest.approx(1, abs=1e-3)


def test_what_each_question_adds_comes_to_the_whole_and_varies_as_it_does() -> None:
    read = _read(120)
    parts, whole = separation(read.odds, read)
    assert np.mean(parts) == pytest.approx(whole, abs=0.002)
    drawn = np.random.default_rng(0)
    samples = [_drawn(read, drawn.integers(0, 120, 120)) for _ in range(200)]
    again = [separation(one.odds, one)[1] for one in samples]
    assert np.std(parts) / np.sqrt(120) == pytest.approx(np.std(again), rel=0.25)


def _drawn(read: Read, numbers: Any) -> Read:
    """A sample of the questions, some of them twice."""
    rows = [np.flatnonzero(read.questions == number) for number in numbers]
    flat = np.concatenate(rows)
    questions = np.repeat(np.arange(len(numbers)), PASSAGES)
    return Read(read.odds[flat], read.features[flat], read.answers[flat], questions)


def _job(folder: Path, read: Read, train: int, count: int, general: int = 0, **more: Any) -> dict[str, Any]:
    chances = 1 / (1 + np.exp(-read.odds))
    rows = np.concatenate([chances[:, None], read.features], axis=1)
    (folder / "rows").write_bytes(rows.astype("<f4").tobytes())
    job = {
        "method": "reading",
        "vectors": "rows",
        "width": WIDTH + 1,
        "steps": 40,
        "l2": 10.0,
        "questions": read.questions.tolist(),
        "answers": read.answers.tolist(),
        "train": list(range(train)),
        "held_out": list(range(train, count)),
        "general": list(range(general)),
        "ids": [f"q{at}" for at in range(count)],
        **more,
    }
    return json.loads(json.dumps(job))  # type: ignore[no-any-return]


def test_a_job_leaves_what_it_learnt_and_how_each_question_did(tmp_path: Path) -> None:
    read, said = _read(100), list[dict[str, Any]]()
    run(tmp_path, _job(tmp_path, read, 70, 100), lambda event, **more: said.append({"event": event, **more}))
    result = json.loads((tmp_path / "result.json").read_text())
    weights = np.frombuffer(base64.b64decode(result["weights"]), "<f4")
    held_out = read.of(range(70, 100))
    odds = held_out.odds * result["scale"] + held_out.features @ weights + result["offset"]
    assert list(result["after"].values()) == pytest.approx(separation(odds, held_out)[0], abs=1e-6)
    assert sorted(result["before"]) == sorted(result["after"]) == [f"q{at}" for at in range(70, 100)]
    assert result["figures"]["auc"] > result["figures"]["auc_before"]
    assert [one["step"] for one in said] == list(range(1, len(said) + 1))
    assert said[-1]["figures"]["train_loss"] == pytest.approx(result["figures"]["train_loss"])


def test_what_other_questions_are_told_by_is_told_too_where_there_are_enough(tmp_path: Path) -> None:
    read = _read(100)
    run(tmp_path, _job(tmp_path, read, 70, 100, general=20), lambda *_, **__: None)
    result = json.loads((tmp_path / "result.json").read_text())
    assert sorted(result["general_before"]) == sorted(result["general_after"]) == sorted(f"q{at}" for at in range(20))
    assert np.mean(list(result["general_after"].values())) == pytest.approx(result["figures"]["general_auc"], abs=0.01)
    run(tmp_path, _job(tmp_path, read, 70, 100, general=5), lambda *_, **__: None)
    assert json.loads((tmp_path / "result.json").read_text())["general_before"] == {}


def test_the_order_of_a_question_s_passages_is_its_own_whatever_others_odds_are() -> None:
    read = _read(2)
    odds, answers = np.array([5.0, 1, 2, 9, 5, -9, -8, -7, -6, -5]), np.zeros(10, dtype=bool)
    answers[[0, 9]] = True
    parts, whole = order(odds, Read(odds, read.features, answers, read.questions))
    assert (parts, whole) == ([(1 + 1 + 0 + 0.5) / 4, 1.0], pytest.approx(0.8125))


def test_a_rerank_job_is_judged_by_the_order_that_searches_have_with_it(tmp_path: Path) -> None:
    read = _read(100)
    places = [np.flatnonzero(read.questions == number) for number in range(100)]
    ranked = [
        {
            "scores": [0.9, 0.85, 0.8, 0.75, 0.7],
            "documents": list(range(PASSAGES)),
            "grades": read.answers[rows].astype(int).tolist(),
            "ideal": [1],
        }
        for rows in places
    ]
    run(tmp_path, _job(tmp_path, read, 70, 100, method="rerank", ranked=ranked), lambda *_, **__: None)
    result = json.loads((tmp_path / "result.json").read_text())
    for number in range(70, 100):
        right = np.flatnonzero(read.answers[places[number]])
        wanted = 1 / np.log2(right[0] + 2) if len(right) else 0.0
        assert result["before"][f"q{number}"] == pytest.approx(wanted)
    learnt = correction.correction_of(result)
    held_out = read.of(range(70, 100))
    chances = correction.chances_of(learnt.corrected(held_out))
    found = [Found.of(one) for one in ranked[70:]]
    after = [one.ndcg(one.mixed(chances[held_out.questions == at])) for at, one in enumerate(found)]
    assert list(result["after"].values()) == pytest.approx(after, abs=1e-6)
    assert np.mean(after) > np.mean(list(result["before"].values())) + 0.05
    assert np.mean(after) > result["figures"]["ndcg_untuned"]


def test_readings_that_hold_no_numbers_teach_nothing(tmp_path: Path) -> None:
    read = _read(40)
    read.features[3, 3] = np.nan
    with pytest.raises(Impossible, match="became no number") as refused:
        run(tmp_path, _job(tmp_path, read, 30, 40), lambda *_, **__: None)
    assert refused.value.code == "loss_not_finite"


def test_one_question_alone_can_t_be_told_from_others() -> None:
    read = _read(2).of([1])
    with pytest.raises(Impossible, match="Too few"):
        separation(read.odds, read)
