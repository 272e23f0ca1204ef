from __future__ import annotations

import pytest

from agent.questions.question import Question


@pytest.mark.parametrize(
    ("text", "wanted", "answer", "aside"),
    [
        ("How much is the deposit?", "money", "The deposit is 40 EUR.", "The deposit is returned."),
        ("When does the museum open?", "time", "It opens at 9:30.", "It opens for groups."),
        ("How many rooms are there?", "quantity", "There are twelve rooms.", "There are rooms."),
        ("Who approves travel?", "person", "The manager approves it.", "It needs an approval."),
        ("Where is the archive?", "place", "It is in the north wing.", "It moved."),
        ("My leave begins soon, can I work from abroad?", "rule", "You may do so for 20 days.", "Abroad: EUR 175"),
        ("What is the e-mail of support?", "contact", "Write to help@acme.example.", "Support answers daily."),
    ],
)
def test_a_question_says_what_kind_of_thing_answers_it(text: str, wanted: str, answer: str, aside: str) -> None:
    question = Question(text)
    assert question.wanted == wanted
    assert question.suits(answer)
    assert not question.suits(aside)


def test_the_focus_is_what_names_the_subject() -> None:
    assert {term.text.lower() for term in Question("How much is the deposit for a bike?").focus} == {"deposit", "bike"}
    assert Question("Tell me more").wanted == "statement"
    assert Question("Tell me more").suits("Anything.")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("who do I tell, and how quickly", ("quantity", "person")),
        ("how much is a bike n how long can i keep it", ("money", "quantity")),
        ("What is the deposit?", ("money",)),
        ("tell me more", ()),
    ],
)
def test_a_question_may_ask_for_several_kinds_of_thing(text: str, kinds: tuple[str, ...]) -> None:
    assert Question(text).asked_kinds == kinds


def test_codes_are_letters_and_digits() -> None:
    assert [term.text for term in Question("what is E06 on the L4-30 at 2pm for 80k in 2024").codes] == ["E06", "L4-30"]
