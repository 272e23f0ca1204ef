"""What a question names by a code: `E06`, `SEV2`, `L4-30`. Another one's text answers nothing of it, however alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.questions.question import Question
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.text.words import Term

ANOTHER_S = 6.0
"""Taken from the score, which is log odds, of a passage that lacks a code of the question which others have."""


def names_unknown(question: Question, found: Sequence[Passage]) -> bool:
    """Whether nothing that was found has one of the question's codes, whole or in part."""
    return any(not any(_has(term, passage) for passage in found) for term in question.codes)


def coded_first(question: Question, ranked: Sequence[Scored]) -> list[Scored]:
    """The passages, those last that have, in themselves and in what they stand under, fewer of the question's codes."""
    if not question.codes:
        return list(ranked)
    counts = [sum(_has(term, one.passage) for term in question.codes) for one in ranked]
    most = max(counts, default=0)
    lowered = [
        one if count == most else replace(one, score=one.score - ANOTHER_S)
        for one, count in zip(ranked, counts, strict=True)
    ]
    return sorted(lowered, key=lambda one: one.score, reverse=True)


def _has(term: Term, passage: Passage) -> bool:
    """`L4` or `L4-10` is a part of what is said of `L4-30`; that both have a 4 is not."""
    parts = {form for form in term.forms if any(map(str.isalpha, form)) and any(map(str.isdigit, form))}
    return not parts.isdisjoint(passage.near_forms)
