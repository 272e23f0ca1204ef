"""What an evaluation has shown: means with intervals, of all questions and by their labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.evaluations.comparison import Difference, compare, mean_of

MOST_LABELS = 20
"""By which figures are told apart; those with the most questions."""
Measured = tuple[Sequence[str], Mapping[str, float]]
"""Labels and figures of one question."""


def summarise(answers: Sequence[Measured]) -> dict[str, Any]:
    """`{"all": {measure: figure}, "labels": {label: {measure: figure}}}`."""
    by_label: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for labels, figures in answers:
        for label in labels:
            by_label[label].append(figures)
    most = sorted(by_label, key=lambda label: (-len(by_label[label]), label))[:MOST_LABELS]
    return {
        "all": _means(figures for _, figures in answers),
        "labels": {label: _means(by_label[label]) for label in sorted(most)},
    }


def differences(first: Mapping[str, Measured], second: Mapping[str, Measured]) -> list[tuple[str | None, Difference]]:
    """Each measure of two evaluations by question id: of all questions (null), then by the labels that both have."""
    shared = first.keys() & second.keys()
    labels = sorted({label for each in shared for label in first[each][0]})[:MOST_LABELS]
    found: list[tuple[str | None, Difference]] = []
    for label in (None, *labels):
        some = [each for each in shared if label is None or label in first[each][0]]
        for measure in sorted({name for each in some for name in first[each][1]}):
            one, other = (_values(run, some, measure) for run in (first, second))
            difference = compare(measure, one, other)
            if difference is not None:
                found.append((label, difference))
    return found


def _values(run: Mapping[str, Measured], questions: Iterable[str], measure: str) -> dict[str, float]:
    return {each: run[each][1][measure] for each in questions if measure in run[each][1]}


def _means(figures: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    values: dict[str, list[float]] = defaultdict(list)
    for each in figures:
        for measure, value in each.items():
            values[measure].append(value)
    return {measure: _figure(of) for measure, of in sorted(values.items())}


def _figure(values: Sequence[float]) -> dict[str, float | int]:
    mean, low, high = mean_of(values)
    return {"mean": mean, "low": low, "high": high, "questions": len(values)}
