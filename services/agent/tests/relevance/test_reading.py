from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.passages import Passage, passages
from agent.relevance.ranking import rank
from agent.relevance.reading import OF_RULES, WindowReading, read_by
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
