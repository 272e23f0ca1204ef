"""Scores each passage by how likely it answers the question: a linear model over a few plain features.

The weights are fitted by `research/calibration/answers.py`; see docs/decisions/0101-abstention-threshold.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.questions.question import Question
from agent.relevance.lexicon import Lexicon, term_shares, weighted_mean
from agent.relevance.passages import Passage
from agent.text.ranges import Range, within
from agent.text.words import Term, covered_terms, form_set, is_generic

FEATURES = (
    "cosine",
    "chunk",
    "own",
    "context",
    "neighbours",
    "suits",
    "unsuited",
    "rank",
    "heading",
    "question",
    "row",
    "distinctive",
    "novel",
)

WEIGHTS = (12.16, 3.84, 2.68, 0.63, 3.41, 0.58, -0.74, 0.88, -4.34, -5.83, 0.15, -1.49, 0.76)
"""One a feature, fitted by maximum likelihood of the passage that holds the answer among its question's passages."""

SOFT_WEIGHT = 1.0
"""The weight of the share of the question's words that a passage has if other words for them count, fitted likewise."""
RECONSIDERED = 8


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage, its features in the order of `FEATURES`, and its score (higher is better)."""

    passage: Passage
    features: tuple[float, ...]
    score: float

    def feature(self, name: str) -> float:
        """One feature by name."""
        return self.features[FEATURES.index(name)]


def term_weights(wanted: Sequence[Term], found: Sequence[Passage]) -> dict[Term, float]:
    """How much each content word of a question tells: rarer among the passages, more; generic words little."""
    own = [passage.forms for passage in found]
    near = [passage.near_forms for passage in found]
    total = len(found)
    weights: dict[Term, float] = {}
    for term in wanted:
        count = total - sum(map(term.forms.isdisjoint, near if term.distinctive else own))
        rarity = math.log(1 + (total + 1) / (count + 0.5)) / math.log(1 + 2 * (total + 1))
        weights[term] = rarity * (0.35 if is_generic(term) else 1.0) * (1.3 if term.distinctive else 1.0)
    return weights


def coverage(
    wanted: Sequence[Term], weights: Mapping[Term, float], present: frozenset[str], among: Iterable[Range] = ()
) -> float:
    """The weighted share of a question's content words that are present, 0 to 1; a number also within a range."""
    total = held = 0.0
    ranges = list(among)
    for term in wanted:
        weight = weights[term]
        total += weight
        if not term.forms.isdisjoint(present) or (ranges and within(term.value, ranges)):
            held += weight
    return held / total if total else 0.0


def features(
    question: Question, passage: Passage, weights: dict[Term, float], cosine: float, chunk: float
) -> tuple[float, ...]:
    """The features of one passage, in the order of `FEATURES`; `chunk` is the best cosine within its chunk."""
    own = passage.forms
    near = passage.near_forms
    around = near | form_set(passage.before) | form_set(passage.after)
    special = [term for term in question.terms if term.distinctive]
    suits = question.suits(passage.text)
    typed = question.wanted != "statement"
    return (
        cosine,
        chunk,
        coverage(question.terms, weights, own, passage.ranges),
        coverage(question.terms, weights, near, passage.ranges),
        coverage(question.terms, weights, around, passage.ranges),
        float(typed and suits),
        float(typed and not suits),
        1.0 / (1 + passage.rank),
        float(passage.unit.kind == "heading"),
        float(passage.unit.kind == "question"),
        float(passage.unit.kind == "row"),
        len(covered_terms(special, near)) / len(special) if special else 1.0,
        min(1.0, len(own - question.forms) / 6),
    )


def preselect(question: Question, found: Sequence[Passage], weights: dict[Term, float], limit: int) -> list[Passage]:
    """The at most `limit` passages worth embedding, by words and by the rank of their chunk; in their old order."""
    if len(found) <= limit:
        return list(found)

    def promise(passage: Passage) -> float:
        own, near = passage.forms, passage.near_forms
        words = coverage(question.terms, weights, own) + 0.5 * coverage(question.terms, weights, near)
        return words + 0.8 / (1 + passage.rank) + 0.2 * question.suits(passage.text)

    kept = set(map(id, sorted(found, key=promise, reverse=True)[:limit]))
    return [passage for passage in found if id(passage) in kept]


def rank(question: Question, found: Sequence[Passage], cosines: Sequence[float]) -> list[Scored]:
    """The passages, best first. Without cosines (an empty sequence) only the words decide."""
    weights = term_weights(question.terms, found)
    likeness = list(cosines) or [0.0] * len(found)
    chunks: dict[int, float] = {}
    for passage, cosine in zip(found, likeness, strict=True):
        chunks[passage.rank] = max(chunks.get(passage.rank, -1.0), cosine)
    scored: list[Scored] = []
    for passage, cosine in zip(found, likeness, strict=True):
        values = features(question, passage, weights, cosine, chunks[passage.rank])
        scored.append(Scored(passage, values, sum(map(float.__mul__, WEIGHTS, values))))
    return sorted(scored, key=lambda one: one.score, reverse=True)


def reconsider(question: Question, ranked: Sequence[Scored], lexicon: Lexicon) -> list[Scored]:
    """The same passages; among the first `RECONSIDERED` other words for the question's words count, too."""
    weights = term_weights(question.terms, [one.passage for one in ranked])
    first = [
        replace(one, score=one.score + SOFT_WEIGHT * weighted_mean(question.terms, weights, shares))
        for one in ranked[:RECONSIDERED]
        for shares in [term_shares(question.terms, one.passage.in_context, lexicon)]
    ]
    return [*sorted(first, key=lambda one: one.score, reverse=True), *ranked[RECONSIDERED:]]
