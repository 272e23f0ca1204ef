"""What a reading model says of the sources: the chance that they answer, and which passages come first by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage
from agent.relevance.ranking import FEATURES, Scored
from agent.relevance.windows import Window

MAX_LOGIT = 4.0
"""Beyond it (98 %) a chance says no more."""
OF_RULES = 0.28
"""The weight of their log odds that there is an answer beside the reader's: with more, they outvote a good reader that
says no."""
OF_SCORE, OF_WINDOW, HOLDS = 0.63, 0.77, 1.74
"""What of a passage's score counts, of the log odds that its window answers, and that it has the span that does."""
UNCOMPARED = (0.0,) * len(FEATURES)
"""The features of a passage that was read, as it stands in a window, and not compared."""
LESS_LIKELY = 0.4
"""How much less likely than the best window one may be whose quote is shown beside that one's."""


@dataclass(frozen=True)
class WindowReading:
    """A window, the chance that it answers, and the passage that has most of the span that does."""

    window: Window
    answers: float
    holding: Passage | None
    quoted: Sequence[Passage] = ()
    """All passages of that span, in order."""


def read_by(evidence: Evidence, readings: Sequence[WindowReading], doubted: float) -> Evidence:
    """The same evidence in the order, and with the chance, that the readings give.

    The rules have a say in it, by how far, in log odds, their chance is from `doubted`, the one at which they abstain:
    both see something of their own, and together they tell more than either (decision 0521).
    """
    ranked = rank_by_reading(evidence.ranked, readings)
    odds = logit(max(one.answers for one in readings)) + OF_RULES * (logit(evidence.chance) - logit(doubted))
    return replace(evidence, ranked=ranked, chance=1 / (1 + math.exp(-odds)), read=True)


def read_alone(evidence: Evidence, readings: Sequence[WindowReading], least: float) -> Evidence:
    """The same evidence by a reader that is better than the rules: its chances as they are, and what it quotes of
    windows that answer with the chance `least`, and not much less likely than the best one, before all else."""
    ranked = rank_by_reading(evidence.ranked, readings)
    known = {id(one.passage): one for one in ranked}
    likely = sorted(readings, key=lambda one: one.answers, reverse=True)
    chance = likely[0].answers
    floor = max(least, chance - LESS_LIKELY)
    answering = [quoted for one in likely if one.answers >= floor and (quoted := _quoted(one, known))]
    passages = [passage for quoted in answering for passage in quoted]
    taken = {id(passage) for passage in passages}
    highest = ranked[0].score
    first = [replace(known.get(id(one), Scored(one, UNCOMPARED, highest)), score=highest) for one in passages]
    rest = [one for one in ranked if id(one.passage) not in taken]
    return replace(evidence, ranked=[*first, *rest], chance=chance, read=True, answering=answering)


def _quoted(reading: WindowReading, known: Mapping[int, Scored]) -> list[Passage]:
    """The passages of a window's quote, in order: statements, where it has some beside headings and questions; where it
    quotes nothing that the window has, the window's best one."""
    if reading.quoted:
        statements = [one for one in reading.quoted if one.unit.kind not in ("heading", "question")]
        return statements or list(reading.quoted)
    best = max(
        (known[id(one)] for one in reading.window.passages if id(one) in known),
        key=lambda one: one.score,
        default=None,
    )
    return [] if best is None else [best.passage]


def rank_by_reading(ranked: Sequence[Scored], readings: Sequence[WindowReading]) -> list[Scored]:
    """The passages by their score, the odds that their window answers, and whether they have its span.

    The sum is the log odds that a passage answers, given that one of them does, fitted as `OF_RULES` is by
    `research/calibration/reader.py`. What was not read ranked behind all that was, and counts as the least of it.
    """
    weights = (OF_SCORE, OF_WINDOW, HOLDS)
    lifted = [
        replace(one, score=sum(map(float.__mul__, weights, values)))
        for one, values in zip(ranked, order_features(ranked, readings), strict=True)
    ]
    return sorted(lifted, key=lambda one: one.score, reverse=True)


def order_features(ranked: Sequence[Scored], readings: Sequence[WindowReading]) -> list[tuple[float, float, float]]:
    """For each passage its score, the odds of its window beside the best one's, and 1 if it has its window's span."""
    best = max(logit(one.answers) for one in readings)
    lifts = {id(passage): logit(one.answers) - best for one in readings for passage in one.window.passages}
    holding = {id(one.holding) for one in readings if one.holding is not None}
    lowest = min(lifts.values())
    return [(one.score, lifts.get(id(one.passage), lowest), float(id(one.passage) in holding)) for one in ranked]


def logit(chance: float) -> float:
    """Log odds of a chance, within +-`MAX_LOGIT`."""
    least = 1 / (1 + math.exp(MAX_LOGIT))
    chance = min(1 - least, max(least, chance))
    return math.log(chance / (1 - chance))
