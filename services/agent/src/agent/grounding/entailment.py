"""Whether spans mean what a sentence says, by a reading model; that their facts agree is a matter of rules before it.

docs/decisions/0122-what-the-reader-decides.md says who decides what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from agent.grounding.agreement import differs
from agent.grounding.citations import Support
from agent.grounding.support import ASSERTING, AgreeingSpan
from agent.relevance.passages import Passage, plain, readable
from agent.text.words import form_set
from contracts.models.reading import PairReading

SPANS, OTHERS = 4, 2
"""Read for one sentence: spans that may support it, and passages that may say otherwise."""
SHARED = 0.5
"""The share of a sentence's words that a passage must have to be one that says otherwise."""
CONTRADICTS = 0.8
"""The chance from which it does."""


@dataclass(frozen=True)
class Readable:
    """What is read for one sentence."""

    spans: list[AgreeingSpan]
    others: list[Passage]

    @classmethod
    def of(cls, sentence: str, spans: Iterable[AgreeingSpan], among: Sequence[Passage]) -> Readable:
        """The best of the spans, and the passages that share most words with the sentence and differ in facts."""
        kept = list(islice(spans, SPANS))
        taken = {id(span.passage) for span in kept}
        said = form_set(sentence)
        shared = {id(passage): len(said & passage.forms) / max(1, len(said)) for passage in among}
        others = [
            passage
            for passage in among
            if id(passage) not in taken
            and passage.unit.kind in ASSERTING
            and shared[id(passage)] >= SHARED
            and differs(sentence, passage.text)
        ]
        others.sort(key=lambda passage: shared[id(passage)], reverse=True)
        return cls(kept, others[:OTHERS])

    @property
    def premises(self) -> list[str]:
        """One text for each span, then for each of the others."""
        texts = [_in_words(span.passage, span.text) for span in self.spans]
        return texts + [_in_words(passage, passage.text) for passage in self.others]

    def verdict(self, readings: Sequence[PairReading], least: float) -> Verdict:
        """The first span that supports with at least this chance; what contradicts, of another source than that."""
        supporting = (
            replace(span.support, score=reading.supported)
            for span, reading in zip(self.spans, readings, strict=False)
            if reading.supported >= least
        )
        support = next(supporting, None)
        stated = [*(span.passage for span in self.spans), *self.others]
        contradicting = (
            passage
            for passage, reading in zip(stated, readings, strict=True)
            if (reading.contradicted or 0.0) >= CONTRADICTS and (support is None or passage.hit is not support.hit)
        )
        against = next(contradicting, None)
        return Verdict(replace(support, against=against) if support else None, against)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What supports a sentence, and what contradicts it; both None where the sources leave it open."""

    support: Support | None
    against: Passage | None = None


def _in_words(passage: Passage, text: str) -> str:
    """What a span says, under its title and heading and after the sentence before it, for what it refers to."""
    heading = dict.fromkeys(line for line in (passage.hit.title, passage.heading) if line)
    said = readable(passage) if passage.unit.kind == "row" else plain(f"{passage.before} {text}")
    return "\n".join((*heading, said))
