"""Judges whether the sources hold an answer at all, as a chance between 0 and 1.

A logistic model over a few plain features of the best passages, fitted by `benchmarks/calibration_answers.py` on
questions whose documents do and don't answer them; docs/decisions/0101-abstention-threshold.md has the curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.questions import Question
from agent.ranking import Scored, coverage, term_weights
from agent.words import covered, form_set

EVIDENCE_FEATURES = (
    "score",
    "margin",
    "cosine",
    "dense",
    "near",
    "chunk",
    "anywhere",
    "names_near",
    "names_anywhere",
    "suits",
    "focus_terms",
)
"""What the judgement is made from; `dense` is the best chunk's cosine, `near` and `chunk` shares of content words."""

WEIGHTS = (0.105, 0.294, 3.826, 0.698, -0.455, 1.318, -0.257, 0.4, -0.02, -0.822, 0.627)
BIAS = -5.122
WORDS_ONLY_BIAS = -4.0
WORDS_ONLY_WEIGHT = 6.0
"""Without embeddings only the share of the question's words in the best chunk is known."""


def evidence_features(question: Question, ranked: Sequence[Scored]) -> tuple[float, ...]:
    """The features of one question's passages (best first), in the order of `EVIDENCE_FEATURES`."""
    if not ranked:
        return (0.0,) * len(EVIDENCE_FEATURES)
    best = ranked[0].passage
    found = [one.passage for one in ranked]
    weights = term_weights(question.focus, found)
    chunk = form_set(best.hit.text) | best.context_forms
    anywhere = frozenset().union(*(passage.forms | passage.context_forms for passage in found))
    special = [term for term in question.terms if term.distinctive]
    dense = max((one.passage.hit.scores.dense or 0.0 for one in ranked), default=0.0)
    return (
        ranked[0].score,
        ranked[0].score - ranked[min(5, len(ranked) - 1)].score,
        max(one.feature("cosine") for one in ranked),
        dense,
        max(coverage(question.focus, weights, one.passage.forms | one.passage.context_forms) for one in ranked[:3]),
        coverage(question.focus, weights, chunk),
        coverage(question.focus, weights, anywhere),
        len(covered(special, chunk)) / len(special) if special else 1.0,
        len(covered(special, anywhere)) / len(special) if special else 1.0,
        float(any(question.suits(one.passage.text) for one in ranked[:3])),
        min(1.0, len(question.focus) / 8),
    )


def chance_of_answer(question: Question, ranked: Sequence[Scored], compared: bool = True) -> float:
    """The chance that the passages hold an answer, 0 to 1; `compared` says whether cosines were known."""
    if not ranked:
        return 0.0
    values = evidence_features(question, ranked)
    if compared:
        odds = BIAS + sum(map(float.__mul__, WEIGHTS, values))
    else:
        odds = WORDS_ONLY_BIAS + WORDS_ONLY_WEIGHT * values[EVIDENCE_FEATURES.index("chunk")]
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
