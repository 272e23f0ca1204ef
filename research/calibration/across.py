"""Whether a chance fitted for questions in another language than their sources abstains better, on XQuAD-R.

    python -m research.calibration.across DATA [--cache FOLDER] [--each 120]

Nine pairs of languages, as `languages.py` looks at them. Fitted on one half, judged on the other: what ships, the same
features fitted on all nine pairs, and cosines of vectors without their language's mean, which are those of the first
half. Nothing of it ships: docs/measured.md has the figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.questions.question import Question
from agent.relevance.evidence import NEXT
from agent.relevance.passages import passages
from agent.relevance.ranking import preselect, term_weights
from contracts.retrieval.search import Hit
from research.calibration.answers import COMPARED
from research.calibration.fits import auc, fit_logistic
from research.calibration.languages import Looking, Seen, separation

WRITTEN = ("de", "zh", "ar")
PAIRS = [f"{asked}-{written}" for written in WRITTEN for asked in ("en", *WRITTEN) if asked != written]


@dataclass(frozen=True)
class Vectors(Seen):
    """With the vectors of the question and of the passages that it was compared with."""

    question: np.ndarray
    passages: np.ndarray


class LookingAtVectors(Looking):
    """The same, with the vectors."""

    def _see(self, asked: str, hits: Sequence[Hit], gold: str, answers: Sequence[str]) -> Vectors:
        seen = super()._see(asked, hits, gold, answers)
        question, found = Question(asked), passages(hits)
        compared = preselect(question, found, term_weights(question.terms, found), COMPARED)
        texts = self._passages([passage.embedded_text for passage in compared])
        return Vectors(seen.answerable, seen.values, seen.chance, seen.place, self._queries([asked])[0], texts)


Looked = dict[str, list[Vectors]]
Features = Callable[[str, Vectors], list[float]]


def by_cosine(_: str, seen: Vectors) -> list[float]:
    """What ships: the likeness, and how far the best passage stands out."""
    return [seen.values[0], seen.values[2]]


def without_means(looked: Looked) -> Features:
    """The same of vectors without the mean of their language's questions or passages."""
    asked, written = ({pair.split("-")[at]: [] for pair in looked} for at in (0, 1))
    for pair, those in looked.items():
        asked[pair.split("-")[0]] += [one.question for one in those]
        written[pair.split("-")[1]] += [one.passages.mean(0) for one in those]

    def features(pair: str, seen: Vectors) -> list[float]:
        one, other = pair.split("-")
        cosines = _unit(seen.passages - np.mean(written[other], 0)) @ _unit(seen.question - np.mean(asked[one], 0))
        best, *following = sorted(cosines, reverse=True)
        return [best, best - float(np.mean(following[:NEXT] or [best]))]

    return features


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def judge(name: str, fitted_on: Looked, judged: Looked, features: Features) -> None:
    """Fit on one half, print each pair and all of the other."""
    values, yes = _table(fitted_on, features)
    weights = fit_logistic(values, yes, np.ones(len(yes)))
    _print(name, judged, lambda those: 1 / (1 + np.exp(-(_table(those, features)[0] @ weights[:-1] + weights[-1]))))


def _table(looked: Looked, features: Features) -> tuple[np.ndarray, np.ndarray]:
    rows = [(features(pair, one), one.answerable) for pair, those in looked.items() for one in those]
    return np.array([values for values, _ in rows]), np.array([yes for _, yes in rows], dtype=float)


def _print(name: str, judged: Looked, chance: Callable[[Looked], np.ndarray]) -> None:
    print(name)
    for pair, those in judged.items():
        print(f"  {pair:6} {separation(those, chance({pair: those}))}")
    every = [one for those in judged.values() for one in those]
    chances, yes = chance(judged), np.array([one.answerable for one in every])
    least = [100 * (chances[~yes] < np.quantile(chances[yes], share)).mean() for share in (0.05, 0.1)]
    print(f"  all    {separation(every, chances)}; rightly where 5 and 10 are wrongly: {least[0]:.0f}, {least[1]:.0f}")
    print(f"         area by all pairs at once {auc(chances, yes):.3f}")


def main() -> None:
    """Look at both halves, fit on one, print the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".groundwork/calibration"))
    parser.add_argument("--each", type=int, default=120)
    chosen = parser.parse_args()
    halves: list[Looked] = []
    for held_out in (False, True):
        looking = LookingAtVectors(chosen.data, chosen.cache, held_out)
        halves.append({pair: list(looking.look(pair, chosen.each)) for pair in PAIRS})
    first, other = halves
    _print("what ships", other, lambda those: np.array([one.chance for some in those.values() for one in some]))
    judge("fitted on nine pairs", first, other, by_cosine)
    judge("without the languages' means", first, other, without_means(first))


if __name__ == "__main__":
    main()
