from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.relevance.codes import coded_first, names_unknown
from agent.relevance.passages import passages
from agent.relevance.ranking import Scored
from agent.testing.scripted_answers import hit

ERRORS = hit(
    "| Code | Meaning | What to do |\n|---|---|---|\n| E06 | Rain gauge blocked | clean the filter |\n"
    "| E11 | Heating too hot (WS3-H) | switch off the supply |",
    title="Plover WS3 manual",
)
LEVEL = hit("The L4-10 reaches to 10 m.\n\nThe L4-30 reaches to 30 m.", "level", title="Data sheet")


@pytest.mark.parametrize("asked", ["what does error E06 mean", "plover WS3 shows e06"])
def test_the_text_of_another_code_comes_last_though_it_scored_best(asked: str) -> None:
    found = [one for one in passages([ERRORS]) if one.unit.kind == "row"]
    best_first = [Scored(one, (), float(at)) for at, one in enumerate(found)][::-1]
    ordered = coded_first(Question(asked), best_first)
    assert "E06" in ordered[0].passage.text
    assert ordered[0].score > ordered[1].score + 3


def test_without_a_code_nothing_changes() -> None:
    ranked = [Scored(one, (), -float(at)) for at, one in enumerate(passages([ERRORS, LEVEL]))]
    assert coded_first(Question("What does the error mean at 2pm for 30 m?"), ranked) == ranked


def test_the_family_of_a_code_is_spoken_of_as_it_is() -> None:
    ranked = [Scored(one, (), -float(at)) for at, one in enumerate(passages([hit("The L4 floats. It is grey.")]))]
    assert [one.passage.text for one in coded_first(Question("Does the L4-30 float?"), ranked)] == [
        "The L4 floats.",
        "It is grey.",
    ]
    assert not names_unknown(Question("Does the L4-30 float?"), [one.passage for one in ranked])


@pytest.mark.parametrize(
    ("asked", "unknown"),
    [
        ("what does E31 mean", True),
        ("what does error E06 mean", False),
        ("how much is the plover WS5", True),
        ("how much is the plover WS3", False),
        ("is it open at 2pm or 3pm in 2024", False),
        ("what is the range of the L4-30", False),
        ("how many are 30", False),
    ],
)
def test_of_a_code_that_is_nowhere_nothing_is_said(asked: str, unknown: bool) -> None:
    assert names_unknown(Question(asked), passages([ERRORS, LEVEL])) is unknown
