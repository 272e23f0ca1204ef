from __future__ import annotations

from agent.testing.scripted_reader import ScriptedReader
from contracts.models.reading import ReadingRequest, SentencePair, Span

PASSAGES = ReadingRequest(question="q", passages=["It is red.", "It is old."])
PAIRS = ReadingRequest(
    pairs=[SentencePair(premise="It is red.", sentence="Red."), SentencePair(premise="x", sentence="y")]
)


async def test_it_reads_what_its_script_says_of_a_quote() -> None:
    reader = ScriptedReader(answers={"red": 0.9}, supports={"red": (0.1, 0.8)})
    read, paired = await reader.read(PASSAGES, "token"), await reader.read(PAIRS, "token")
    assert read is not None
    assert paired is not None
    assert [(one.answers, one.span) for one in read.passages] == [(0.9, Span(start=6, end=9)), (0.01, None)]
    assert [one.verdict for one in paired.pairs] == ["contradicted", "neither"]
    assert reader.requests == [PASSAGES, PAIRS]


async def test_what_it_was_not_made_for_it_does_not_read() -> None:
    reader = ScriptedReader(parts=frozenset(("pairs",)))
    assert await reader.read(PASSAGES, "token") is None
    assert await reader.read(PAIRS, "token") is not None
