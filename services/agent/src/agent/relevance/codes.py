"""What a question names by a code: `E06`, `SEV2`, `L4-30`. Another one's text answers nothing of it, however alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from agent.questions.question import Question
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.text.codes import Code, codes_of, sure_codes_of

ANOTHER_S = 6.0
"""Taken from the score, which is log odds, of a passage that lacks a code of the question which others have."""


def names_unknown(question: Question, found: Sequence[Passage]) -> bool:
    """Whether what was found names, of one of the question's codes, only siblings: `E11` where `E06` is asked for. A
    code without siblings may be written in another way, as `COVID-19` is, and says nothing."""
    if not question.codes:
        return False
    named = frozenset[Code]().union(*(codes_of(passage.in_context) for passage in found))
    sure = frozenset[Code]().union(*(sure_codes_of(passage.in_context) for passage in found))
    return any(not _has(code, named) and any(map(code.is_sibling, sure)) for code in question.codes)


def coded_first(question: Question, ranked: Sequence[Scored]) -> list[Scored]:
    """The passages, those last that have, in themselves and in what they stand under, fewer of the question's codes."""
    if not question.codes:
        return list(ranked)
    counts = [sum(_has(code, codes_of(one.passage.in_context)) for code in question.codes) for one in ranked]
    most = max(counts, default=0)
    lowered = [
        one if count == most else replace(one, score=one.score - ANOTHER_S)
        for one, count in zip(ranked, counts, strict=True)
    ]
    return sorted(lowered, key=lambda one: one.score, reverse=True)


def _has(code: Code, named: Collection[Code]) -> bool:
    return any(map(code.is_named_by, named))
