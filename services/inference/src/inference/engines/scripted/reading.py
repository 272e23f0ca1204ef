"""A reading model without weights: it counts shared words. Deterministic and instant, for tests and trials."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from contracts.models.reading import PairReading, PassageReading, Reads, Span
from inference.engines.scripted.vectors import WORD, ScriptedModel
from inference.protocol.engines import FeatureResult, Pair, Priority, ReadingResult

SENTENCE = re.compile(r"[^\s.!?](?:[^.!?\n]*[^\s.!?])?[.!?]?")
R = TypeVar("R")
DENIALS = frozenset(("no", "not", "never", "none"))


class ScriptedReading(ScriptedModel):
    """A `ReadingEngine`. A passage answers as far as one sentence of it, its span, has the question's words; a premise
    supports as far as it has the sentence's words, and contradicts where only one of them has a denial."""

    def __init__(self, max_input_tokens: int) -> None:
        super().__init__()
        self._limit = max_input_tokens

    def reads(self) -> frozenset[Reads]:
        """Everything."""
        return frozenset(("answers", "spans", "relevance", "support", "contradiction"))

    async def read(
        self, question: str, passages: Sequence[str], priority: Priority = "query"
    ) -> ReadingResult[PassageReading]:
        """Shares of the question's words."""
        asked = _words(question)
        readings = tuple(self._reading(asked, passage) for passage in passages)
        return self._counted(readings, [(question, passage) for passage in passages])

    def has_features(self) -> bool:
        """Two: of the question's words the share in the best sentence, and that in the whole passage."""
        return True

    async def read_features(self, question: str, passages: Sequence[str], priority: Priority) -> FeatureResult:
        """As `FeatureReading` says."""
        result = await self.read(question, passages, priority)
        rows = [[one.answers or 0.0, one.relevance or 0.0] for one in result.readings]
        return FeatureResult(result, np.array(rows, dtype=np.float32))

    async def entail(self, pairs: Sequence[Pair], priority: Priority = "query") -> ReadingResult[PairReading]:
        """Shares of the sentences' words."""
        return self._counted(
            tuple(self._verdict(*pair) for pair in pairs), [(second, first) for first, second in pairs]
        )

    def _reading(self, asked: frozenset[str], passage: str) -> PassageReading:
        passage = self._cut(passage)
        shares = [(_share(asked, _words(found.group())), found) for found in SENTENCE.finditer(passage)]
        best, found = max(shares, key=lambda each: each[0], default=(0.0, None))
        span = Span(start=found.start(), end=found.end()) if found and best else None
        return PassageReading(answers=best, span=span, relevance=_share(asked, _words(passage)))

    def _verdict(self, premise: str, sentence: str) -> PairReading:
        held, said = _words(self._cut(premise)), _words(sentence)
        share = _share(said - DENIALS, held)
        is_opposed = bool(held & DENIALS) != bool(said & DENIALS)
        return PairReading.of(0.0 if is_opposed else share, share if is_opposed else 0.0)

    def _cut(self, text: str) -> str:
        """What it reads of a text."""
        words = list(WORD.finditer(text))
        return text if len(words) <= self._limit else text[: words[self._limit - 1].end()]

    def _counted(self, readings: tuple[R, ...], pairs: Sequence[Pair]) -> ReadingResult[R]:
        lengths = [len(WORD.findall(long)) for _, long in pairs]
        asked = sum(len(WORD.findall(short)) for short, _ in pairs)
        tokens = asked + sum(min(length, self._limit) for length in lengths)
        return ReadingResult(readings, tokens, sum(length > self._limit for length in lengths))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))


def _share(wanted: frozenset[str], found: frozenset[str]) -> float:
    return len(wanted & found) / max(1, len(wanted))
