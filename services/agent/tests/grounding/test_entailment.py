from __future__ import annotations

import pytest

from agent.grounding.entailment import CONTRADICTS, OTHERS, SPANS, Readable
from agent.grounding.support import find_spans
from agent.relevance.passages import passages
from agent.testing.scripted_answers import bag_of_stems, hit
from contracts.models.reading import PairReading

POLICY = hit("# Leave\n\nThis is the policy. Full-time employees get 27 days of paid leave per year.", "policy")
OLD = hit("Full-time employees get 25 days of paid leave per year.", "old")
TABLE = hit("Plan | Price\nStarter | EUR 2.40", "prices")
FOUND = passages([POLICY, OLD, TABLE])
SENTENCE = "Full-time employees get 27 days of paid leave per year."


def _readable(sentence: str = SENTENCE) -> Readable:
    vectors = [bag_of_stems(passage.text) for passage in FOUND]
    spans = find_spans(sentence, FOUND, vectors, bag_of_stems(sentence), falling_short=True)
    return Readable.of(sentence, spans, FOUND)


def _pairs(given: Readable, *chances: tuple[float, float]) -> list[PairReading]:
    rest = [(0.0, 0.0)] * (len(given.premises) - len(chances))
    return [PairReading.of(*each) for each in (*chances, *rest)]


def test_read_are_spans_with_the_same_facts_and_passages_that_differ_in_them() -> None:
    given = _readable()
    assert given.spans[0].text == SENTENCE
    assert [passage.hit for passage in given.others] == [OLD]
    assert len(given.spans) <= SPANS
    assert len(given.others) <= OTHERS
    assert len(given.premises) == len(given.spans) + len(given.others)


def test_a_premise_stands_under_its_heading_and_after_the_sentence_before() -> None:
    assert _readable().premises[0] == f"policy\nLeave\nThis is the policy. {SENTENCE}"
    assert "Plan: Starter; Price: EUR 2.40" in _readable("The price of Starter is EUR 2.40.").premises[0]


@pytest.mark.parametrize(("supported", "is_supported"), [(0.6, True), (0.4, False)])
def test_a_span_supports_from_the_chance_on_that_is_set(supported: float, is_supported: bool) -> None:
    given = _readable()
    verdict = given.verdict(_pairs(given, (supported, 0.0)), 0.5)
    assert (verdict.support is not None) is is_supported
    assert verdict.against is None
    if verdict.support is not None:
        assert verdict.support.score == supported
        assert POLICY.text[slice(*verdict.support.span)] == SENTENCE


@pytest.mark.parametrize(("contradicted", "is_told"), [(CONTRADICTS, True), (CONTRADICTS - 0.05, False)])
def test_a_surely_contradicting_passage_of_another_source_is_told(contradicted: float, is_told: bool) -> None:
    given = _readable()
    readings = _pairs(given, (0.9, 0.0))
    readings[-1] = PairReading.of(0.0, contradicted)
    verdict = given.verdict(readings, 0.5)
    assert verdict.support is not None
    assert (verdict.against is not None) is is_told
    assert verdict.support.against is verdict.against


def test_a_source_does_not_contradict_what_it_supports_itself_and_a_model_need_not_tell() -> None:
    given = _readable("This is the policy.")
    readings = [PairReading.of(0.9, None), *_pairs(given)[1:]]
    assert given.verdict(readings, 0.5).against is None
    alone = _readable()
    readings = _pairs(alone, (0.0, 0.95))
    verdict = alone.verdict(readings, 0.5)
    assert (verdict.support, verdict.against) == (None, alone.spans[0].passage)
