"""Which passages are about a topic, in its own or in other words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.questions.question import Question
from agent.relevance.lexicon import Lexicon, term_shares, weighted_mean
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored, coverage, term_weights
from agent.text.words import Term

SAID = 0.75
"""The share of the topic's very words in a passage, its headings and title from which it is about it."""
HINTED, LIKE = 0.4, 0.45
"""The share in other words, and the cosine, that are enough together."""


def named_and_hinted(topic: Question, ranked: Sequence[Scored], lexicon: Lexicon) -> tuple[list[Scored], list[Scored]]:
    """The passages about the topic, in their order: those that name it themselves, and those that do so in other words
    or stand below a heading or title that names it."""
    weights = term_weights(topic.focus, [one.passage for one in ranked])
    named = [one for one in ranked if coverage(topic.focus, weights, one.passage.forms) >= SAID]
    hinted = [one for one in ranked if one not in named and _is_hinted(topic, one, weights, lexicon)]
    return named, hinted


def spoken_of(topic: Question, ranked: Sequence[Scored], lexicon: Lexicon) -> list[Scored]:
    """What tells of the topic, best first; nothing without the names and numbers that the topic has."""
    named, hinted = named_and_hinted(topic, ranked, lexicon)
    special = [term for term in topic.terms if term.distinctive]
    return [
        one
        for one in (*named, *hinted)
        if one.passage.unit.kind not in ("heading", "question")
        and not any(term.forms.isdisjoint(one.passage.near_forms) for term in special)
    ]


def _is_hinted(topic: Question, one: Scored, weights: Mapping[Term, float], lexicon: Lexicon) -> bool:
    if coverage(topic.focus, weights, one.passage.near_forms) >= SAID:
        return True
    return one.feature("cosine") >= LIKE and _share(topic, weights, one.passage, lexicon) >= HINTED


def _share(topic: Question, weights: Mapping[Term, float], passage: Passage, lexicon: Lexicon) -> float:
    """How much of a topic a passage, its headings and title name, in these or other words."""
    return weighted_mean(topic.focus, weights, term_shares(topic.focus, passage.in_context, lexicon))
