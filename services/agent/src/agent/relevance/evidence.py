"""What the sources hold of an answer, and the chance between 0 and 1 that they hold it at all.

The chance is a logistic model over three plain features of the best passages, fitted by
`research/calibration/answers.py` on questions whose documents do and don't answer them;
docs/decisions/0101-abstention-threshold.md has the curve, 0131 that of other languages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.ports import Vector
from agent.questions.language import are_of_two_languages
from agent.questions.question import Question
from agent.relevance.lexicon import Lexicon, term_shares, weighted_mean
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored, term_weights

EVIDENCE_FEATURES = ("likeness", "likeness and wording", "missing")
"""The best cosine; the same times the share of the question's subject in the best passage; the share of the subject
of which the best passage's whole chunk has no word."""
WEIGHTS, BIAS = (4.18, 1.95, -2.15), -2.64
OWN_MISSING = -4.0
"""The weight of missing words by the sources' own model; the fit says more, but people ask in other words than the
questions that it is fitted on."""
OWN_WEIGHTS, OWN_BIAS = (6.03, 4.39, 1.82, OWN_MISSING), -2.3
"""By cosines of the sources' own model, counted from its unrelated ones, where other words for a word are not known:
with how far the best passage stands out before the missing words. `research/calibration/languages.py` fits them."""
ACROSS_WEIGHTS, ACROSS_BIAS = (5.79, 0.0, 1.23, 0.0), -1.26
"""The same where the sources are in another language than the question, whose words they can't have."""
WORDS_ONLY_BIAS = 2.0
WORDS_ONLY_WEIGHT = -6.0
"""Without embeddings only the missing words are known."""
NEXT = 5
"""So many passages behind the best one are what it stands out from."""
ABSENT = 0.35
"""A word counts as missing if the chunk has less than this share of it."""


@dataclass(frozen=True)
class Evidence:
    """The passages of the sources, compared with the question."""

    question: Question
    found: list[Passage]
    """All of them, in document order."""
    compared: list[Passage]
    """The promising ones, in document order: what an answer may be drawn from."""
    vectors: list[Vector] | None
    """One for each of `compared`; None when embeddings could not be had."""
    ranked: list[Scored]
    """`compared`, best first."""
    chance: float
    """That the sources answer the question."""
    own: bool = False
    """Whether the vectors are those of the model that the sources were found by."""
    read: bool = False
    """Whether a reading model gave the order and the chance."""
    answering: Sequence[Sequence[Passage]] = ()
    """What a reading model quotes as the answer of each window, the likeliest first, where its word counts alone."""
    listed: Sequence[Passage] = ()
    """All parts of the list that is asked for, in order."""


def evidence_features(question: Question, ranked: Sequence[Scored], lexicon: Lexicon) -> tuple[float, ...]:
    """The features of one question's passages (best first), in the order of `EVIDENCE_FEATURES`."""
    if not ranked:
        return (0.0, 0.0, 1.0)
    best = ranked[0].passage
    weights = term_weights(question.focus, [one.passage for one in ranked])
    likeness = max(one.feature("cosine") for one in ranked)
    there = weighted_mean(question.focus, weights, term_shares(question.focus, best.in_context, lexicon))
    near = term_shares(question.focus, best.chunk_in_context, lexicon)
    missing = weighted_mean(question.focus, weights, [float(share < ABSENT) for share in near])
    return (likeness, likeness * there, missing)


def own_features(question: Question, ranked: Sequence[Scored], lexicon: Lexicon) -> tuple[float, ...]:
    """The same, and before the missing words how far the best passage's score is above those that follow: cosines of
    one language are higher than those of another one, and a passage that answers stands out in each."""
    if not ranked:
        return (0.0, 0.0, 0.0, 1.0)
    *likenesses, missing = evidence_features(question, ranked, lexicon)
    following = sum(one.score for one in ranked[1 : 1 + NEXT]) / NEXT
    return (*likenesses, math.log1p(max(0.0, ranked[0].score - following)), missing)


def chance_of_answer(
    question: Question, ranked: Sequence[Scored], lexicon: Lexicon, compared: bool = True, own: bool = False
) -> float:
    """The chance that the passages hold an answer, 0 to 1; `compared` says whether cosines were known, and `own`
    whether they are those of the model that the sources were found by."""
    if not ranked:
        return 0.0
    values = evidence_features(question, ranked, lexicon)
    if not compared:
        odds = WORDS_ONLY_BIAS + WORDS_ONLY_WEIGHT * values[2]
    elif not own:
        odds = BIAS + sum(map(float.__mul__, WEIGHTS, values))
    else:
        across = are_of_two_languages(question.text, ranked[0].passage.hit.text)
        weights, bias = (ACROSS_WEIGHTS, ACROSS_BIAS) if across else (OWN_WEIGHTS, OWN_BIAS)
        odds = bias + sum(map(float.__mul__, weights, own_features(question, ranked, lexicon)))
    return 1 / (1 + math.exp(-odds))
