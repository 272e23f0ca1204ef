"""What an evaluation says: means with intervals, comparisons between ways to search, and each question's figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from groundwork.evaluation.measures import Values, evaluate, mean, ndcg
from groundwork.evaluation.questions import Question
from groundwork.evaluation.searches import Found
from groundwork.evaluation.significance import Comparison, compare, interval

NDCG_AT = 10
MAIN = ndcg(NDCG_AT)
"""The measure that ways are compared by."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over the questions and its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Result:
    """One way to search."""

    values: Values
    means: dict[str, Mean]
    milliseconds: float
    """Median of a search, as the client saw it."""
    found: Found


@dataclass(frozen=True, slots=True)
class Report:
    """A whole evaluation."""

    collection: str
    questions: Sequence[Question]
    unanswerable: int
    """Questions without a relevant document, which no measure is defined for."""
    results: dict[str, Result]
    comparisons: list[Comparison]

    @property
    def measures(self) -> list[str]:
        """Names of the measures, in order."""
        return list(next(iter(self.results.values())).means)

    def as_json(self) -> dict[str, Any]:
        """Everything, each question's values and ranking included."""
        return {
            "collection": self.collection,
            "questions": len(self.questions),
            "questions_without_relevant_documents": self.unanswerable,
            "ways": {
                name: {
                    "means": {measure: asdict(found) for measure, found in result.means.items()},
                    "median_milliseconds": result.milliseconds,
                    "degraded": result.found.degraded,
                }
                for name, result in self.results.items()
            },
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "by_question": [self._of(question) for question in self.questions],
        }

    def _of(self, question: Question) -> dict[str, Any]:
        return {
            "id": question.id,
            "query": question.text,
            "relevant": dict(question.relevant),
            "ways": {
                name: {
                    **{measure: values[question.id] for measure, values in result.values.items()},
                    "milliseconds": round(result.found.milliseconds[question.id], 2),
                    "found": result.found.rankings[question.id],
                }
                for name, result in self.results.items()
            },
        }


def make_report(
    collection: str, questions: Sequence[Question], unanswerable: int, found: dict[str, Found], recall_at: Sequence[int]
) -> Report:
    """The figures of what was found; every question has a relevant document."""
    judgements = {question.id: question.relevant for question in questions}
    results = {
        name: _result(each, evaluate(judgements, each.rankings, NDCG_AT, recall_at)) for name, each in found.items()
    }
    comparisons = [
        compare(one, other, MAIN, results[one].values[MAIN], results[other].values[MAIN])
        for one, other in combinations(results, 2)
    ]
    return Report(collection, questions, unanswerable, results, comparisons)


def _result(found: Found, values: Values) -> Result:
    means = {}
    for measure, by_question in values.items():
        low, high = interval(np.array(list(by_question.values())))
        means[measure] = Mean(mean(by_question), low, high)
    return Result(values, means, round(statistics.median(found.milliseconds.values()), 2), found)
