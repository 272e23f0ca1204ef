"""Scores each passage by how likely it answers the question: a linear model over a few plain features.

The weights are fitted by `benchmarks/calibration_answers.py`; see docs/decisions/0101-abstention-threshold.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.paraphrase import Lexicon, held, weighted
from agent.passages import Passage
from agent.questions import Question, word_pairs
from agent.ranges import Range, within
from agent.words import Term, covered, form_set, is_generic

FEATURES = (
    "cosine",
    "own",
    "context",
    "neighbours",
    "suits",
    "unsuited",
    "rank",
    "heading",
    "question",
    "row",
    "length",
    "short",
    "distinctive",
    "pairs",
    "novel",
    "broken",
)

WEIGHTS = (6.58, 3.27, 1.07, 4.83, 0.92, -0.76, 1.42, -4.06, -1.41, 2.4, -1.11, -0.59, -1.76, 0.56, 0.46, -0.07)
"""One a feature, fitted by maximum likelihood of the passage that holds the answer among its question's passages."""

SOFT_WEIGHT = 0.75
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
    counts: Counter[Term] = Counter()
    for passage in found:
        counts.update(covered(wanted, passage.forms))
    total = len(found)
    weights: dict[Term, float] = {}
    for term in wanted:
        rarity = math.log(1 + (total + 1) / (counts[term] + 0.5)) / math.log(1 + 2 * (total + 1))
        weights[term] = rarity * (0.35 if is_generic(term) else 1.0) * (1.3 if term.distinctive else 1.0)
    return weights


def coverage(
    wanted: Sequence[Term], weights: Mapping[Term, float], present: frozenset[str], among: Iterable[Range] = ()
) -> float:
    """The weighted share of a question's content words that are present, 0 to 1; a number also within a range."""
    total = sum(weights[term] for term in wanted)
    held = sum(weights[term] for term in wanted if term.forms & present or within(term.text, among))
    return held / total if total else 0.0


def features(question: Question, passage: Passage, weights: dict[Term, float], cosine: float) -> tuple[float, ...]:
    """The features of one passage, in the order of `FEATURES`."""
    own = passage.forms
    near = own | passage.context_forms
    around = near | form_set(passage.before) | form_set(passage.after)
    special = [term for term in question.terms if term.distinctive]
    text = passage.text
    suits = question.suits(text)
    typed = question.wanted != "statement"
    size = len(text)
    phrase = question.pairs
    return (
        cosine,
        coverage(question.terms, weights, own, passage.ranges),
        coverage(question.terms, weights, near, passage.ranges),
        coverage(question.terms, weights, around, passage.ranges),
        float(typed and suits),
        float(typed and not suits),
        1.0 / (1 + passage.rank),
        float(passage.unit.kind == "heading"),
        float(passage.unit.kind == "question"),
        float(passage.unit.kind == "row"),
        min(1.0, math.log1p(size) / 6.5),
        float(size < 25),
        len(covered(special, near)) / len(special) if special else 1.0,
        len(phrase & word_pairs(text)) / len(phrase) if phrase else 0.0,
        min(1.0, len(own - question.forms) / 6),
        float(_is_broken(passage)),
    )


def _is_broken(passage: Passage) -> bool:
    """Whether the chunk's edge cuts the sentence."""
    starts_inside = passage.unit.start == 0 and passage.text[:1].islower()
    at_end = passage.unit.end >= len(passage.hit.text.rstrip())
    return passage.unit.kind == "sentence" and (starts_inside or (at_end and passage.text[-1:].isalnum()))


def preselect(question: Question, found: Sequence[Passage], weights: dict[Term, float], limit: int) -> list[Passage]:
    """The at most `limit` passages worth embedding, by words and by the rank of their chunk; in their old order."""
    if len(found) <= limit:
        return list(found)

    def promise(passage: Passage) -> float:
        near = passage.forms | passage.context_forms
        words = coverage(question.terms, weights, passage.forms) + 0.5 * coverage(question.terms, weights, near)
        return words + 0.8 / (1 + passage.rank) + 0.2 * question.suits(passage.text)

    kept = set(map(id, sorted(found, key=promise, reverse=True)[:limit]))
    return [passage for passage in found if id(passage) in kept]


def rank(question: Question, found: Sequence[Passage], cosines: Sequence[float]) -> list[Scored]:
    """The passages, best first. Without cosines (an empty sequence) only the words decide."""
    weights = term_weights(question.terms, found)
    scored: list[Scored] = []
    for at, passage in enumerate(found):
        values = features(question, passage, weights, cosines[at] if cosines else 0.0)
        scored.append(Scored(passage, values, sum(map(float.__mul__, WEIGHTS, values))))
    return sorted(scored, key=lambda one: one.score, reverse=True)


def reconsider(question: Question, ranked: Sequence[Scored], lexicon: Lexicon) -> list[Scored]:
    """The same passages; among the first `RECONSIDERED` other words for the question's words count, too."""
    weights = term_weights(question.terms, [one.passage for one in ranked])
    first = [
        replace(one, score=one.score + SOFT_WEIGHT * weighted(question.terms, weights, shares))
        for one in ranked[:RECONSIDERED]
        for shares in [held(question.terms, one.passage.in_context, lexicon)]
    ]
    return [*sorted(first, key=lambda one: one.score, reverse=True), *ranked[RECONSIDERED:]]
