from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.text.words import form_set


@pytest.mark.parametrize(
    ("question", "asked", "written"),
    [
        ("Wie hoch darf die Hecke sein?", "Hecke", "Hecken"),
        ("Welche Kurse gibt es für Kinder?", "Kurse", "Kurs"),
        ("Welche Kurse gibt es für Kinder?", "Kinder", "Kindern"),
        ("Quali sono le regole per gli ospiti?", "ospiti", "ospite"),
        ("¿Cuánto cuesta la bicicleta para los niños?", "niños", "niña"),
    ],
)
def test_a_word_is_found_in_another_form_of_its_language(question: str, asked: str, written: str) -> None:
    [term] = [term for term in Question(question).terms if term.text == asked]
    assert not term.forms.isdisjoint(form_set(written))
    assert form_set(asked).isdisjoint(form_set(written)), "what English endings do needs no others"


@pytest.mark.parametrize("written", ["Kassette", "Kasten", "Kas"])
def test_another_word_is_not_found_by_its_beginning(written: str) -> None:
    [term] = [term for term in Question("Wo ist die Kasse?").terms if term.text == "Kasse"]
    assert term.forms.isdisjoint(form_set(written))


@pytest.mark.parametrize("question", ["Which courses are there?", "Heron S2", "图书馆几点开门？"])
def test_english_and_other_scripts_keep_their_forms(question: str) -> None:
    assert all(len(term.forms) <= 3 for term in Question(question).terms)
