"""What any reading engine of inference must do. A subclass gives the fixture `engine`.

Nothing is said about which passage answers best, so that a model with random weights can be held to it; what an engine
can't tell is null in its readings, and nothing else is.
"""

from __future__ import annotations

import asyncio

import pytest

from contracts.models.reading import PairReading, PassageReading
from inference.protocol.engines import Pair, Priority, ReadingEngine

QUESTION = "When was the red car built?"
PASSAGES = [
    "A blue boat.",
    "  Die rote Katze schläft. \U0001f408 The red car was built in 1987, as the owner's “papers” say.\n",
    "The boat was built by hand.",
    "Quarterly revenue rose by nine percent.",
]
PAIRS: list[Pair] = [
    ("The red car was built in 1987.", "The car is from 1987."),
    ("The red car was not built in 1987.", "The car was built in 1987."),
    ("A blue boat.", "Revenue rose by nine percent."),
]
NEAR = 1e-3


def numbers(reading: PassageReading | PairReading) -> list[float]:
    """The chances that it gives."""
    fields = ("answers", "relevance") if isinstance(reading, PassageReading) else ("supported", "contradicted")
    return [chance for name in fields if (chance := getattr(reading, name)) is not None]


async def of_passages(engine: ReadingEngine, passages: list[str]) -> tuple[PassageReading, ...]:
    return (await engine.read(QUESTION, passages)).readings


class ReadingConformance:
    """A reading engine that reads at least 48 tokens. What it does not read is not asked of it."""

    @pytest.fixture
    def passages(self, engine: ReadingEngine) -> list[str]:
        if not engine.reads() & {"answers", "relevance"}:
            pytest.skip("it reads no passages")
        return list(PASSAGES)

    @pytest.fixture
    def pairs(self, engine: ReadingEngine) -> list[Pair]:
        if "support" not in engine.reads():
            pytest.skip("it reads no pairs")
        return list(PAIRS)

    async def test_it_reads_something(self, engine: ReadingEngine) -> None:
        assert engine.reads()

    async def test_what_it_can_not_tell_is_null_and_nothing_else(
        self, engine: ReadingEngine, passages: list[str]
    ) -> None:
        readings, reads = await of_passages(engine, passages), engine.reads()
        assert len(readings) == len(passages)
        for reading in readings:
            assert (reading.answers is not None, reading.relevance is not None) == (
                "answers" in reads,
                "relevance" in reads,
            )
            assert reading.span is None or "spans" in reads

    async def test_a_span_lies_in_its_passage_as_it_was_sent_and_begins_and_ends_with_a_character(
        self, engine: ReadingEngine, passages: list[str]
    ) -> None:
        for reading, passage in zip(await of_passages(engine, passages), passages, strict=True):
            if reading.span is not None:
                text = passage[reading.span.start : reading.span.end]
                assert len(text) == reading.span.end - reading.span.start > 0
                assert text == text.strip()

    async def test_a_reading_does_not_depend_on_the_texts_beside_it(
        self, engine: ReadingEngine, passages: list[str]
    ) -> None:
        together = await of_passages(engine, passages)
        for reading, passage in zip(together, passages, strict=True):
            (alone,) = await of_passages(engine, [passage])
            assert numbers(reading) == pytest.approx(numbers(alone), abs=NEAR)

    async def test_a_passage_of_blanks_alone_answers_nowhere(self, engine: ReadingEngine, passages: list[str]) -> None:
        (reading,) = await of_passages(engine, [" \n "])
        assert reading.span is None

    async def test_chances_of_a_pair_are_one_together_and_the_verdict_is_the_likeliest(
        self, engine: ReadingEngine, pairs: list[Pair]
    ) -> None:
        readings = (await engine.entail(pairs)).readings
        assert len(readings) == len(pairs)
        for reading in readings:
            assert (reading.contradicted is not None) == ("contradiction" in engine.reads())
            assert reading.supported + (reading.contradicted or 0) + reading.neither == pytest.approx(1)
            assert getattr(reading, reading.verdict) == max(
                reading.supported, reading.contradicted or 0, reading.neither
            )

    async def test_a_verdict_does_not_depend_on_the_pairs_beside_it(
        self, engine: ReadingEngine, pairs: list[Pair]
    ) -> None:
        together = (await engine.entail(pairs)).readings
        for reading, pair in zip(together, pairs, strict=True):
            (alone,) = (await engine.entail([pair])).readings
            assert numbers(reading) == pytest.approx(numbers(alone), abs=NEAR)

    async def test_what_is_too_long_is_cut_and_counted(self, engine: ReadingEngine) -> None:
        long = "word " * 5000
        if engine.reads() & {"answers", "relevance"}:
            read = await engine.read(QUESTION, [PASSAGES[0], long])
            assert (read.truncated, len(read.readings)) == (1, 2)
        if "support" in engine.reads():
            entailed = await engine.entail([PAIRS[0], (long, "A word.")])
            assert (entailed.truncated, len(entailed.readings)) == (1, 2)

    async def test_tokens_are_counted(self, engine: ReadingEngine) -> None:
        if engine.reads() & {"answers", "relevance"}:
            assert (await engine.read(QUESTION, PASSAGES[:1])).tokens >= 5
        if "support" in engine.reads():
            assert (await engine.entail(PAIRS[:1])).tokens >= 5

    async def test_calls_at_once_of_both_priorities_get_their_own(
        self, engine: ReadingEngine, passages: list[str]
    ) -> None:
        alone = await of_passages(engine, passages)
        both: tuple[Priority, ...] = ("query", "bulk")
        calls = [engine.read(QUESTION, [passage] * 9, priority) for passage in passages for priority in both]
        for number, read in enumerate(await asyncio.gather(*calls)):
            for reading in read.readings:
                assert numbers(reading) == pytest.approx(numbers(alone[number // 2]), abs=NEAR)

    async def test_it_says_that_it_is_alive(self, engine: ReadingEngine) -> None:
        await engine.probe()
