"""What a reading model says of the sources: the chance that they answer, and which passages come first by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage
from agent.relevance.ranking import Scored
from agent.relevance.windows import Window

MAX_LOGIT = 4.0
"""Beyond it (98 %) a chance says no more about the order."""
CONFIDENT = 0.5
"""From this chance on, a window's passage with the span goes before others."""
OF_RULES = 0.25
"""The weight of their log odds beside the reader's: with more, they outvote a good reader that says no."""
HOLDS = 1.0
"""So far before them, in their score."""


@dataclass(frozen=True)
class WindowReading:
    """A window, the chance that it answers, and the passage with the span that does."""

    window: Window
    answers: float
    holding: Passage | None


def read_by(evidence: Evidence, readings: Sequence[WindowReading], doubted: float) -> Evidence:
    """The same evidence in the order, and with the chance, that the readings give.

    The rules have a say in it, by how far, in log odds, their chance is from `doubted`, the one at which they abstain:
    both see something of their own, and together they tell more than either (decision 0521).
    """
    ranked = rank_by_reading(evidence.ranked, readings)
    odds = _logit(max(one.answers for one in readings)) + OF_RULES * (_logit(evidence.chance) - _logit(doubted))
    return replace(evidence, ranked=ranked, chance=1 / (1 + math.exp(-odds)), read=True)


def rank_by_reading(ranked: Sequence[Scored], readings: Sequence[WindowReading]) -> list[Scored]:
    """The passages by their score and the odds that their window answers, which are on the same scale.

    What was not read ranked behind all that was, and counts as the least of it. The passage with the span leads its
    window, that of the likeliest window all.
    """
    best = max(_logit(one.answers) for one in readings)
    lifts = {id(passage): _logit(one.answers) - best for one in readings for passage in one.window.passages}
    lowest = min(lifts.values())
    scores = {id(one.passage): one.score + lifts.get(id(one.passage), lowest) for one in ranked}
    confident = sorted((one for one in readings if one.answers >= CONFIDENT), key=lambda one: one.answers)
    for reading in confident:
        inside = [id(passage) for passage in reading.window.passages if id(passage) in scores]
        leader = id(reading.holding) if id(reading.holding) in inside else max(inside, key=scores.__getitem__)
        others = [scores[one] for one in (scores if reading is confident[-1] else inside) if one != leader]
        scores[leader] = max([scores[leader], *(score + HOLDS for score in others)])
    lifted = [replace(one, score=scores[id(one.passage)]) for one in ranked]
    return sorted(lifted, key=lambda one: one.score, reverse=True)


def _logit(chance: float) -> float:
    least = 1 / (1 + math.exp(MAX_LOGIT))
    chance = min(1 - least, max(least, chance))
    return math.log(chance / (1 - chance))
