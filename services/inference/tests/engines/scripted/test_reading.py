from __future__ import annotations

from inference.engines.scripted.reading import ScriptedReading

READER = ScriptedReading(12)


async def test_the_sentence_that_has_the_question_s_words_is_the_span() -> None:
    passage = "A blue boat. The red car is here! Enough."
    read = await READER.read("red car", [passage, "Nothing of it."])
    first, second = read.readings
    assert first.span is not None
    assert passage[first.span.start : first.span.end] == "The red car is here!"
    assert (first.answers, first.relevance) == (1.0, 1.0)
    assert (second.answers, second.span, second.relevance) == (0.0, None, 0.0)


async def test_a_passage_is_read_up_to_the_limit_and_what_was_cut_is_counted() -> None:
    read = await READER.read("red", ["word " * 12 + "red"])
    assert (read.readings[0].answers, read.truncated, read.tokens) == (0.0, 1, 13)


async def test_a_denial_in_one_of_the_two_contradicts() -> None:
    pairs = [("The car is red.", "The car is red."), ("The car is not red.", "The car is red."), ("A boat.", "Nine.")]
    assert [one.verdict for one in (await READER.entail(pairs)).readings] == ["supported", "contradicted", "neither"]
