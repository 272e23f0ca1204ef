"""Whether what is supported of a draft also answers the question.

A small model often says something true of the sources that is beside the point. Its draft is taken only if it draws
on the best evidence and tells at least what the best passage tells; else the extractive answer is the better one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.grounding.citations import Support
from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage, readable
from agent.relevance.ranking import coverage, term_weights
from agent.text.words import form_set, numbers

MARGIN = 0.7
"""How far below the best passage (in its score) a draft's evidence may lie."""
MIN_COVERAGE = 0.8
"""The share of the question's words in the draft, of what the best passage has of them."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A supported sentence."""

    text: str
    separator: str
    support: Support


def is_answer(kept: Sequence[Checked], evidence: Evidence, careful: bool) -> bool:
    """Whether these sentences answer; without `careful` (a capable model) being supported is enough."""
    if not kept or not evidence.ranked:
        return False
    if not careful:
        return True
    question = evidence.question
    text = " ".join(one.text for one in kept)
    best = evidence.ranked[0].passage
    near = [one.passage for one in evidence.ranked if one.score >= evidence.ranked[0].score - MARGIN]
    if not any(_within(passage, one.support) for passage in near for one in kept):
        return False
    if not question.suits(text):
        return False
    figures = numbers(best.text) - numbers(question.text)
    if question.wanted in ("money", "quantity", "time") and best.unit.kind != "row" and not figures <= numbers(text):
        return False
    weights = term_weights(question.focus, evidence.compared)
    wanted = coverage(question.focus, weights, form_set(readable(best)))
    return coverage(question.focus, weights, form_set(text)) >= MIN_COVERAGE * wanted


def _within(passage: Passage, support: Support) -> bool:
    begin, end = support.span
    return passage.hit is support.hit and passage.unit.start < end and begin < passage.unit.end
