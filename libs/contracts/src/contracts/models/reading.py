"""Reading on the wire: whether passages answer a question, and where; whether texts support sentences.

Internal: services ask the gateway's model plane, the gateway asks inference.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.core.base import Count, Reply, Request
from contracts.core.values import Text

Reads = Literal["answers", "spans", "relevance", "support", "contradiction"]
"""What a reading model can tell: of passages the first three, of pairs the last two (`support` alone: not whether a
sentence that is not supported is contradicted)."""
Verdict = Literal["supported", "contradicted", "neither"]
Languages = Literal["all"] | tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")], ...]
"""That a model reads: `all`, or codes of ISO 639-1."""
Chance = Annotated[float, Field(ge=0, le=1)]
MAX_READ = 256
"""Passages, and pairs, of one call."""


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


_Given = Annotated[Text, AfterValidator(_not_empty)]


class SentencePair(Request):
    """A sentence, and the text that it is held against."""

    premise: _Given
    sentence: _Given


class ReadingRequest(Request):
    """Body of `POST /v1/reading`: a question with passages, pairs, or both. What is longer than the model reads is cut
    and counted. A `query` waits for no more than one batch of `bulk`."""

    model: str = "default"
    question: _Given | None = None
    passages: Annotated[list[_Given], Field(max_length=MAX_READ)] = Field(default_factory=list)
    pairs: Annotated[list[SentencePair], Field(max_length=MAX_READ)] = Field(default_factory=list)
    priority: Literal["query", "bulk"] = "query"
    features: bool = False
    """Whether each passage's features come, too, from which a correction of its chance can be learnt."""

    @model_validator(mode="after")
    def _asks_something(self) -> ReadingRequest:
        if (self.question is None) != (not self.passages):
            raise ValueError("question and passages go together: give both, or pairs alone")
        if not (self.passages or self.pairs):
            raise ValueError("give a question with at least one passage, or at least one of pairs")
        return self


class Span(Reply):
    """Characters [start, end) of a passage as it was sent."""

    start: Count
    end: Count


class PassageReading(Reply):
    """Of one passage. Null is what the model can't tell; a span is null, too, where no part of the passage answers."""

    answers: Chance | None = None
    """The chance that it answers the question."""
    span: Span | None = None
    """The part that does, if any does."""
    relevance: Chance | None = None


class PairReading(Reply):
    """Of one pair: the likeliest verdict, and how likely each is."""

    verdict: Verdict
    supported: Chance
    contradicted: Chance | None = None
    """Null where the model does not tell it from `neither`."""
    neither: Chance

    @classmethod
    def of(cls, supported: float, contradicted: float | None) -> PairReading:
        """What is left of 1 is `neither`."""
        neither = max(0.0, 1 - supported - (contradicted or 0))
        chances: dict[Verdict, float] = {
            "supported": supported,
            "neither": neither,
            "contradicted": contradicted or 0,
        }
        verdict = max(chances, key=chances.__getitem__)
        return cls(verdict=verdict, supported=supported, contradicted=contradicted, neither=neither)


class ReadingUsage(Reply):
    """Tokens read and, by a chat model that judges, written; how many pairs of texts were cut, how many were known."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    total_tokens: Count = 0
    truncated: Count = 0
    cached: Count = 0
    """Read for the same answer before, and free."""


class ReadingReply(Reply):
    """Readings in the order of the request."""

    model: str
    reads: list[Reads]
    """What the model can tell."""
    languages: Languages | None = None
    """What it reads well; what it says of texts in others is worth nothing. Null where nobody said it."""
    alone: bool = False
    """Whether its chances count by themselves, and what it quotes is the answer; else rules have a say beside it."""
    passages: list[PassageReading] = Field(default_factory=list)
    pairs: list[PairReading] = Field(default_factory=list)
    features: list[str] = Field(default_factory=list)
    """Of each passage, as base64 of little-endian float32, where they were asked for."""
    usage: ReadingUsage = ReadingUsage()
