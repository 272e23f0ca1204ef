from __future__ import annotations

import pytest

from agent.questions.listing import named_by, wants_all, wants_steps
from agent.questions.question import Question


@pytest.mark.parametrize(
    "question",
    [
        "list all courses",
        "Please list the steps",
        "which bikes do you have in stock",
        "what payment methods do you accept?",
        "what kinds of members are there",
        "which output formats are supported?",
        "what options does tidecast have?",
        "what are the opening hours?",
        "name all teams",
        "liste alle kurse",
        "welche kurse gibt es?",
        "quels sont les horaires ?",
    ],
)
def test_a_whole_list_is_asked_for(question: str) -> None:
    assert wants_all(question)


@pytest.mark.parametrize(
    "question",
    [
        "name the ceo",
        "which team has the most cups",
        "what is the deposit?",
        "what does the list say",
        "what are the chances of rain in Paris",
        "What are your thoughts?",
        "what are the odds?",
        "what are the news?",
        "What are the hours on Mondays?",
        "which class are there",
        "list all bikes that are not red",
        "list all bikes except the red ones",
        "list all bikes with at least five gears",
        "list all courses before May",
        "welche Kurse gibt es nicht?",
    ],
)
def test_one_thing_is_asked_for(question: str) -> None:
    assert not wants_all(question)


def test_steps_are_asked_for_by_how() -> None:
    assert wants_steps("how do I send something back")
    assert wants_steps("steps to return a helmet")
    assert wants_steps("Wie kann ich etwas zurückgeben?")
    assert not wants_steps("how much is it")


def test_a_list_is_named_by_what_it_is_of() -> None:
    assert [term.text for term in named_by(Question("list all kinds of courses"))] == ["courses"]
