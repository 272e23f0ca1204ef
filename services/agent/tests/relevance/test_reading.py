from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage, passages
from agent.relevance.ranking import rank
from agent.relevance.reading import OF_RULES, WindowReading, read_alone, read_by
from agent.relevance.windows import windows
from agent.testing.scripted_answers import hit

PUMP = hit("The pump weighs 40 kilograms. The pump is kept dry.", "pump")
BOAT = hit("The boat is heavy: two tonnes with its anchor. The boat is blue.", "boat")
OTHER = hit("The pump came by rail.", "other")
QUESTION = Question("What does the pump weigh?")
DOUBTED = 0.24


def _read(chances: dict[str, float], holding: str = "", most: int = 6, of_rules: float = DOUBTED) -> Evidence:
    found = passages([PUMP, BOAT, OTHER])
    ranked = rank(QUESTION, found, [])
    evidence = Evidence(QUESTION, found, found, None, ranked, of_rules)

    def held(among: tuple[Passage, ...]) -> Passage | None:
        return next((passage for passage in among if holding and holding in passage.text), None)

    readings = [
        WindowReading(window, chances[window.passages[0].hit.document_id], held(window.passages))
        for window in windows(ranked, found, most)
    ]
    return read_by(evidence, readings, DOUBTED)


def test_the_chance_is_that_of_the_best_window() -> None:
    read = _read({"pump": 0.2, "boat": 0.7, "other": 0.1})
    assert (read.chance, read.read) == (pytest.approx(0.7), True)


def test_the_rules_move_it_a_share_of_how_far_they_are_in_log_odds_from_their_threshold() -> None:
    doubted = DOUBTED / (1 - DOUBTED)
    for of_rules in (0.1, 0.9):
        chance = _read({"pump": 0.5, "boat": 0.1, "other": 0.1}, of_rules=of_rules).chance
        assert chance / (1 - chance) == pytest.approx((of_rules / (1 - of_rules) / doubted) ** OF_RULES)


def test_passages_of_the_window_that_answers_come_first() -> None:
    assert _read({"pump": 0.9, "boat": 0.1, "other": 0.1}).ranked[0].passage.hit is PUMP
    ranked = _read({"pump": 0.01, "boat": 0.99, "other": 0.01}).ranked
    assert ranked[0].passage.hit is BOAT
    ranked = _read({"pump": 0.01, "boat": 0.3, "other": 0.01}).ranked
    assert ranked[0].passage.hit is PUMP


def test_the_passage_with_the_span_leads_its_window_and_an_unlikely_window_no_other() -> None:
    assert "weighs" in _read({"pump": 0.9, "boat": 0.01, "other": 0.01}).ranked[0].passage.text
    assert "kept dry" in _read({"pump": 0.9, "boat": 0.01, "other": 0.01}, "kept dry").ranked[0].passage.text
    best = _read({"pump": 0.02, "boat": 0.95, "other": 0.01}, "kept dry").ranked[0].passage
    assert best.hit is BOAT


def test_what_was_not_read_stays_behind_what_was() -> None:
    ranked = _read({"pump": 0.9, "boat": 0.9, "other": 0.9}, most=1).ranked
    assert [one.passage.hit.document_id for one in ranked[:2]] == ["pump", "pump"]
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)


def _alone(*quotes: tuple[str, float], least: float = 0.5, of_rules: float = 0.05) -> Evidence:
    """By a reader that gives windows with these words such chances, and quotes what has them."""
    found = passages([PUMP, BOAT, OTHER])
    ranked = rank(QUESTION, found, [])
    readings = []
    for window in windows(ranked, found, 6):
        words, chance = next(((words, chance) for words, chance in quotes if words in window.text), ("\0", 0.02))
        quoted = [passage for passage in window.passages if words in passage.text]
        readings.append(WindowReading(window, chance, next(iter(quoted), None), quoted))
    return read_alone(Evidence(QUESTION, found, found, None, ranked, of_rules), readings, least)


def test_where_a_reader_counts_alone_its_chance_is_taken_as_it_is() -> None:
    for of_rules in (0.01, 0.99):
        read = _alone(("blue", 0.7), of_rules=of_rules)
        assert (read.chance, read.read) == (0.7, True)


def test_what_such_a_reader_quotes_answers_and_comes_first_the_likeliest_before_others() -> None:
    read = _alone(("blue", 0.7), ("by rail", 0.9), ("kept dry", 0.4))
    said = ["The pump came by rail.", "The boat is blue."]
    assert [[passage.text for passage in quoted] for quoted in read.answering] == [[one] for one in said]
    assert [one.passage.text for one in read.ranked[:2]] == said
    assert len(read.ranked) == 5
    scores = [one.score for one in read.ranked]
    assert scores == sorted(scores, reverse=True)
    assert _alone(("blue", 0.4)).answering == []


def test_of_a_window_that_answers_without_a_quote_its_best_passage_does() -> None:
    found = passages([PUMP, BOAT, OTHER])
    ranked = rank(QUESTION, found, [])
    read = read_alone(
        Evidence(QUESTION, found, found, None, ranked, 0.1),
        [WindowReading(one, 0.9 if one.passages[0].hit is PUMP else 0.6, None) for one in windows(ranked, found, 6)],
        0.4,
    )
    assert read.answering[0][0].text == "The pump weighs 40 kilograms."
    assert len(read.answering) == 3, "one of each window"


def test_a_window_that_is_much_less_likely_than_the_best_adds_nothing() -> None:
    assert [one.hit for (one,) in _alone(("blue", 0.95), ("by rail", 0.5), least=0.4).answering] == [BOAT]
    assert [one.hit for (one,) in _alone(("blue", 0.95), ("by rail", 0.6), least=0.4).answering] == [BOAT, OTHER]


def test_a_quote_in_what_was_not_compared_comes_first_all_the_same() -> None:
    found = passages([PUMP, BOAT, OTHER])
    ranked = rank(QUESTION, found[:1], [])
    (window,) = windows(ranked, found, 1)
    dry = next(one for one in found if "kept dry" in one.text)
    read = read_alone(
        Evidence(QUESTION, found, found[:1], None, ranked, 0.1), [WindowReading(window, 0.9, dry, [dry])], 0.4
    )
    assert (read.answering, read.ranked[0].passage, len(read.ranked)) == ([[dry]], dry, 2)
    assert read.ranked[0].feature("cosine") == 0.0


def test_a_heading_is_no_answer_where_a_statement_is_quoted_too() -> None:
    page = hit("# Garage\n\nThe garage has three floors.", "garage")
    found = passages([page])
    ranked = rank(QUESTION, found, [])
    (window,) = windows(ranked, found, 1)
    evidence = Evidence(QUESTION, found, found, None, ranked, 0.1)
    both = read_alone(evidence, [WindowReading(window, 0.9, found[0], found)], 0.4)
    assert [one.text for one in both.answering[0]] == ["The garage has three floors."]
    alone = read_alone(evidence, [WindowReading(window, 0.9, found[0], found[:1])], 0.4)
    assert [one.unit.kind for one in alone.answering[0]] == ["heading"]
