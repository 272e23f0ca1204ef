"""What an evaluation changes: rerank is switched on for a collection whose own questions gain by it."""

from __future__ import annotations

from contracts.retrieval.collections import Collection
from groundwork.client import Groundwork
from groundwork.evaluation.report import Report
from groundwork.evaluation.searches import Way
from groundwork.evaluation.significance import Comparison

SIGNIFICANT = 0.05
PLAIN, RERANKED = Way("hybrid").name, Way("hybrid", rerank=True).name


def apply_rerank(client: Groundwork, shown: Collection, report: Report) -> str:
    """Switch rerank on if it is significantly better than without; returns the sentence that says what was done."""
    (comparison,) = (each for each in report.comparisons if {each.first, each.second} == {PLAIN, RERANKED})
    gain = _gain(comparison)
    figures = f"{gain:+.4f} {comparison.measure}, p {comparison.p:.2g}"
    if gain > 0 and comparison.p < SIGNIFICANT:
        client.collections.change(shown.name, rerank=True)
        return f"Rerank is switched on for '{shown.name}': {figures}."
    state = "stays on, as it was" if shown.rerank else "stays off"
    return f"Rerank {state} for '{shown.name}': no significant gain ({figures})."


def _gain(comparison: Comparison) -> float:
    return comparison.difference if comparison.first == RERANKED else 0.0 - comparison.difference
