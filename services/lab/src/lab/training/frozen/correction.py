"""Learning how a reading model's chances that passages answer are to be corrected, for the questions of one collection.

A passage's log odds z, with the features x that the model made them of, become z · scale + x · w + offset. For the
passages that a search found for a question, with z' for the corrected odds, the lowest is looked for of

    sum over passages of log loss(z') + sum over questions of -log(share of what answers in softmax(z')) + l2 · |w sd|²

The first keeps them chances, so that it is known when nothing answers; the second sets the right passage before its
neighbours. Weights are held back in units of each feature's deviation. What constants were chosen by is in
docs/measured.md.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.training.frozen.lbfgs import Array, minimise
from lab.training.frozen.ranking import WEIGHT, Found
from lab.training.impossible import Impossible

Tell = Callable[..., None]
Judged = tuple[dict[str, float], dict[str, float], dict[str, float]]
"""By question before and after, and figures of all."""
CERTAIN = 1e-6
"""As inference has it: chances nearer to 0 and 1 say no more."""
LEAST_DEVIATION = 1e-3
TOLERANCE = 1e-3
LEAST_GENERAL = 6
SCALE_HELD = 0.1
"""Of `l2`, for the scale, which is one number and not hundreds."""


@dataclass(frozen=True, slots=True)
class Read:
    """Passages that were found for questions, the one after the other, as the reading model sees them."""

    odds: Array
    features: Array
    answers: NDArray[np.bool_]
    questions: NDArray[np.int64]
    """Of each passage its question's number."""

    def of(self, numbers: Sequence[int]) -> Read:
        """The passages of some questions, which are numbered anew."""
        places = {number: at for at, number in enumerate(numbers)}
        rows = np.array([at for at, number in enumerate(self.questions) if int(number) in places], dtype=np.int64)
        renumbered = np.array([places[int(one)] for one in self.questions[rows]], dtype=np.int64)
        return Read(self.odds[rows], self.features[rows], self.answers[rows], renumbered)


@dataclass(frozen=True, slots=True)
class Correction:
    """What was learnt."""

    weights: Array
    scale: float
    offset: float

    def corrected(self, read: Read) -> Array:
        """Log odds, as inference corrects them."""
        odds: Array = read.odds * self.scale + read.features @ self.weights + self.offset
        return odds

    def chances(self, rows: NDArray[np.floating[Any]]) -> Array:
        """That passages answer, as inference gives them; a row is the chance before, then the features."""
        before = np.clip(rows[:, 0].astype(np.float64), CERTAIN, 1 - CERTAIN)
        nothing = np.zeros(len(rows), dtype=np.int64)
        odds = np.log(before / (1 - before))
        return chances_of(self.corrected(Read(odds, rows[:, 1:].astype(np.float64), nothing.astype(bool), nothing)))


def correction_of(artifact: Mapping[str, Any]) -> Correction:
    """What a job has learnt, as it is served."""
    weights = np.frombuffer(base64.b64decode(artifact["weights"]), dtype="<f4").astype(np.float64)
    return Correction(weights, artifact["scale"], artifact["offset"])


def chances_of(odds: Array) -> Array:
    """Of log odds."""
    chances: Array = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
    return chances


def run(folder: Path, job: Mapping[str, Any], tell: Tell) -> None:
    """Learn what `job.json` says, and leave `result.json`; raises `Impossible`."""
    began = time.perf_counter()
    every = _read(folder, job)
    last = 0.0

    def hear(step: int, value: float) -> None:
        nonlocal last
        if not math.isfinite(value):
            raise _not_finite()
        last = value / len(job["train"])
        tell("step", step=step, figures={"train_loss": last})

    learnt = learn(every.of(job["train"]), job["l2"], job["steps"], hear)
    held_out = every.of(job["held_out"])
    before, after, figures = judged(job, held_out, learnt.corrected(held_out))
    others = every.of(job["general"])
    general_before, general_after, general = judged_in_general(job, others, learnt.corrected(others))
    result = {
        "weights": base64.b64encode(learnt.weights.astype("<f4").tobytes()).decode(),
        "scale": learnt.scale,
        "offset": learnt.offset,
        "before": before,
        "after": after,
        "general_before": general_before,
        "general_after": general_after,
        "figures": {"train_loss": last, **figures, **general, "seconds": time.perf_counter() - began},
    }
    (folder / "result.json").write_text(json.dumps(result, allow_nan=False), encoding="utf-8")


def judged(job: Mapping[str, Any], held_out: Read, after: Array) -> Judged:
    """What the method of a job is judged by, of what is held out with its odds before, and those after."""
    return (_ranked if job["method"] == "rerank" else _read_better)(job, held_out, after)


def _read_better(job: Mapping[str, Any], held_out: Read, after: Array) -> Judged:
    """By how surely what answers is told from what does not."""
    before = held_out.odds
    (first, auc_before), (second, auc) = separation(before, held_out), separation(after, held_out)
    figures = {
        "auc_before": auc_before,
        "auc": auc,
        "first_before": firsts(before, held_out),
        "first": firsts(after, held_out),
    }
    return _by_id(job, "held_out", first), _by_id(job, "held_out", second), figures


def _ranked(job: Mapping[str, Any], held_out: Read, after: Array) -> Judged:
    """By the order of what searches find, against what they give without a rerank model."""
    found = [Found.of(job["ranked"][number]) for number in job["held_out"]]
    places = [np.flatnonzero(held_out.questions == number) for number in range(len(found))]
    first = [one.ndcg(one.scores) for one in found]
    plain, second = (
        [one.ndcg(one.mixed(said[rows])) for one, rows in zip(found, places, strict=True)]
        for said in (held_out.odds, chances_of(after))
    )
    figures = {"ndcg_untuned": float(np.mean(plain)), "weight": WEIGHT}
    return _by_id(job, "held_out", first), _by_id(job, "held_out", second), figures


def judged_in_general(job: Mapping[str, Any], general: Read, after: Array) -> Judged:
    """What it does to other questions; nothing where there are too few to tell."""
    if len(job["general"]) < LEAST_GENERAL:
        return {}, {}, {}
    judge = order if job["method"] == "rerank" else separation
    (first, auc_before), (second, auc) = (judge(odds, general) for odds in (general.odds, after))
    figures = {"general_auc_before": auc_before, "general_auc": auc}
    return _by_id(job, "general", first), _by_id(job, "general", second), figures


def _by_id(job: Mapping[str, Any], which: str, values: Sequence[float]) -> dict[str, float]:
    return {job["ids"][number]: value for number, value in zip(job[which], values, strict=True)}


def _read(folder: Path, job: Mapping[str, Any]) -> Read:
    """Of each passage a row: the chance that it answers, then its features."""
    rows = np.fromfile(folder / job["vectors"], dtype="<f4").reshape(-1, job["width"]).astype(np.float64)
    if not np.isfinite(rows).all():
        raise _not_finite()
    chances = np.clip(rows[:, 0], CERTAIN, 1 - CERTAIN)
    answers, questions = np.array(job["answers"], dtype=bool), np.array(job["questions"], dtype=np.int64)
    return Read(np.log(chances / (1 - chances)), rows[:, 1:], answers, questions)


def learn(read: Read, l2: float, steps: int, hear: Callable[[int, float], None] = lambda *_: None) -> Correction:
    """The correction of these passages' odds."""
    middle = read.features.mean(axis=0)
    deviation = np.maximum(read.features.std(axis=0), LEAST_DEVIATION)
    features = (read.features - middle) / deviation
    width = features.shape[1]

    def loss(flat: Array) -> tuple[float, Array]:
        weights, more, offset = flat[:width], flat[width], flat[width + 1]
        odds = read.odds * (1 + more) + features @ weights + offset
        value, by_odds = _loss_of(odds, read)
        value += l2 * float(weights @ weights) + SCALE_HELD * l2 * more * more
        slope = np.concatenate((features.T @ by_odds, [read.odds @ by_odds, by_odds.sum()]))
        slope[:width] += 2 * l2 * weights
        slope[width] += 2 * SCALE_HELD * l2 * more
        return value, slope

    found = minimise(loss, np.zeros(width + 2), TOLERANCE, steps, hear)
    weights = found[:width] / deviation
    return Correction(weights, float(1 + found[width]), float(found[width + 1] - middle @ weights))


def _loss_of(odds: Array, read: Read) -> tuple[float, Array]:
    """And its slope by the odds."""
    right, questions = read.answers, read.questions
    chances = chances_of(odds)
    value = float((np.logaddexp(0, odds) - odds * right).sum())
    slope = chances - right
    count = int(questions.max()) + 1
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, questions, odds)
    raised = np.exp(odds - highest[questions])
    every, wanted = (np.bincount(questions, weights, count) for weights in (raised, raised * right))
    has_one = np.bincount(questions, right, count) > 0
    wanted = np.where(has_one, wanted, 1.0)
    value += float((np.log(every) - np.log(wanted))[has_one].sum())
    shares = raised / every[questions] - raised * right / wanted[questions]
    return value, slope + np.where(has_one[questions], shares, 0.0)


def separation(odds: Array, read: Read) -> tuple[list[float], float]:
    """How surely the odds tell what answers from what does not: the chance that the passage that answers a question has
    higher ones than the best of the others of some question, which is what would be answered with if it were not there
    (the area under the curve). By question, and of all.

    By question it is what that one adds to all, as the jackknife has it (Efron 1982): their mean is the whole, and they
    vary as it does.
    """
    count = int(read.questions.max()) + 1
    right, others = np.full(count, -np.inf), np.full(count, -np.inf)
    np.maximum.at(right, read.questions[read.answers], odds[read.answers])
    np.maximum.at(others, read.questions[~read.answers], odds[~read.answers])
    has_right, has_others = np.isfinite(right), np.isfinite(others)
    with np.errstate(invalid="ignore"):
        more = right[:, None] - others[None, :]
    wins = np.where(has_right[:, None] & has_others[None, :], (more > 0) + 0.5 * (more == 0), 0.0)
    rows, columns, own = wins.sum(axis=1), wins.sum(axis=0), np.diag(wins)
    pairs = has_right.sum() * has_others.sum()
    if not pairs or (has_right.sum() - 1) * (has_others.sum() - 1) < 1:
        raise Impossible("too_few_examples", "Too few held-out questions have passages that answer and others.")
    whole = wins.sum() / pairs
    left = (has_right.sum() - has_right) * (has_others.sum() - has_others)
    without = (wins.sum() - rows - columns + own) / left
    return [float(one) for one in count * whole - (count - 1) * without], float(whole)


def order(odds: Array, read: Read) -> tuple[list[float], float]:
    """How surely the odds order the passages of each question, of which one answers: the share of the others that it
    goes before. By question, and of all."""
    found: list[float] = []
    for number in range(int(read.questions.max()) + 1):
        rows = read.questions == number
        more = odds[rows & read.answers][:, None] - odds[rows & ~read.answers][None, :]
        found.append(float(((more > 0) + 0.5 * (more == 0)).mean()))
    return found, float(np.mean(found))


def firsts(odds: Array, read: Read) -> float:
    """Of the questions with a passage that answers, the share where it is the first by the odds."""
    found: list[bool] = []
    for number in np.unique(read.questions[read.answers]):
        rows = np.flatnonzero(read.questions == number)
        found.append(bool(read.answers[rows[odds[rows].argmax()]]))
    return sum(found) / max(1, len(found))


def _not_finite() -> Impossible:
    return Impossible(
        "loss_not_finite", "The loss became no number: the reading model gives readings that are none. Choose another."
    )
