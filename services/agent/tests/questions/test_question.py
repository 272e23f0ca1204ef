from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.text.codes import Code
from agent.text.words import covered_terms, form_set


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


def test_codes_are_letters_and_digits() -> None:
    codes = Question("what is E06 on the L4-30 at 2pm for 80k, EUR5000 or EUR 50 in 2024 or mid-2025").codes
    assert codes == [Code("e", "06"), Code("l", "4-30")]


@pytest.mark.parametrize("written", ["X9", "x9", "X-9", "X 9"])
def test_a_code_is_one_in_every_spelling(written: str) -> None:
    assert Question(f"how heavy is the {written}?").codes == [Code("x", "9")]


def test_a_spoken_amount_keeps_its_words_and_is_the_amount_too() -> None:
    question = Question("Who approved the 1.5 million?")
    assert [term.text for term in question.terms] == ["approved", "1.5", "million"]
    assert [term.value for term in question.terms] == ["approved", "1500000", "1500000"]
    for text in ("The board approved the loan of 1.5 million.", "The board approved 1,500,000."):
        assert len(covered_terms(question.terms, form_set(text))) == 3
