"""A reading model that follows a script: for tests and demonstrations without models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.ports import ReadPart
from contracts.models.reading import (
    Languages,
    PairReading,
    PassageReading,
    ReadingReply,
    ReadingRequest,
    ReadingUsage,
    Span,
)
from servicekit.core.errors import ServiceError

TOKENS = 5
"""That it says it read, of each text."""


@dataclass
class ScriptedReader:
    """A `Reader` that says what its script has of the quote that a text holds; keeps the requests it got."""

    answers: Mapping[str, float] = field(default_factory=dict)
    """By a quote: the chance that a passage with it answers; the quote is the span. Other passages do not answer."""
    supports: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By a quote: how likely a premise with it supports and contradicts. Other premises do neither."""
    parts: frozenset[ReadPart] = frozenset(("passages", "pairs"))
    """What it reads at all."""
    failure: ServiceError | None = None
    hangs: bool = False
    languages: Languages | None = None
    alone: bool = False
    model: str = "default"
    others: dict[str, ScriptedReader] = field(default_factory=dict)
    """Other models, by their names."""
    requests: list[ReadingRequest] = field(default_factory=list)

    def may_read(self, part: ReadPart) -> bool:
        """It is asked whatever it reads."""
        return True

    def named(self, model: str) -> ScriptedReader:
        """One of the others; a model without a script finds no answers."""
        return self.others.setdefault(model, ScriptedReader(model=model))

    async def read(self, request: ReadingRequest, token: str) -> ReadingReply | None:
        """The scripted readings."""
        self.requests.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        if ("passages" if request.passages else "pairs") not in self.parts:
            return None
        read = len(request.passages) + len(request.pairs)
        return ReadingReply(
            model="scripted",
            reads=["answers", "spans", "support", "contradiction"],
            languages=self.languages,
            alone=self.alone,
            passages=[self._passage(text) for text in request.passages],
            pairs=[self._pair(pair.premise) for pair in request.pairs],
            usage=ReadingUsage(prompt_tokens=TOKENS * read, total_tokens=TOKENS * read),
        )

    def _passage(self, text: str) -> PassageReading:
        for quote, chance in self.answers.items():
            at = text.find(quote)
            if at >= 0:
                return PassageReading(answers=chance, span=Span(start=at, end=at + len(quote)))
        return PassageReading(answers=0.01)

    def _pair(self, premise: str) -> PairReading:
        supported, contradicted = next(
            (chances for quote, chances in self.supports.items() if quote in premise), (0.0, 0.0)
        )
        return PairReading.of(supported, contradicted)
