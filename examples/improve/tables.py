"""Figures as tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.improvement.evaluations import EvaluationComparison
from contracts.models.experiments import Experiment, Figure

SHOWN = ("rating", "abstention", "latency_ms")


def comparison(found: EvaluationComparison, measures: Sequence[str]) -> None:
    """After against before, of all questions and by label, with the interval of the difference and its p."""
    rows: list[tuple[str, ...]] = [("measure", "questions", "before", "after", "difference [95 %]", "p", "verdict")]
    rows += [
        (
            one.measure if one.label is None else f"  {one.label}",
            str(one.questions),
            f"{one.second:.3f}",
            f"{one.first:.3f}",
            f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
            f"{one.p:.2g}",
            one.verdict,
        )
        for measure in measures
        for one in found.measures
        if one.measure == measure
    ]
    _print(rows)


def experiment(found: Experiment) -> None:
    """What the variants have shown to people so far."""
    rows: list[tuple[str, ...]] = [("variant", "calls", "people", *SHOWN)]
    for one in found.variants:
        shown = (_figure(one.measures[name]) for name in SHOWN)  # type: ignore[index]
        rows.append((one.name, str(one.calls), str(one.units), *shown))
    _print(rows)
    print("  (an interval and p from 30 people on; rating is the share of thumbs up)", flush=True)


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    interval = "" if figure.low is None or figure.high is None else f" [{figure.low:.3g}, {figure.high:.3g}]"
    return f"{figure.value:.3g}{interval}" + ("" if figure.p is None else f" p {figure.p:.2g}")


def _print(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)
