from __future__ import annotations

import pytest

from agent.text.refusals import is_apology, is_refusal, says_no_answer


@pytest.mark.parametrize(
    ("text", "begun", "refused"),
    [
        ("NO ANSWER", False, True),
        ('"No answer."', False, True),
        ("**NO_ANSWER**", False, True),
        ("Answer: NO ANSWER", False, True),
        ("No", False, False),
        ("No", True, True),
        ("No, it is not.", True, False),
    ],
)
def test_a_refusal_is_known_by_its_words_and_held_back_while_it_may_become_one(
    text: str, begun: bool, refused: bool
) -> None:
    assert is_refusal(text, begun) == refused


@pytest.mark.parametrize(
    "sentence",
    [
        "The sources do not say how long the battery lasts.",
        "The provided documents don’t mention a pony.",
        "I'm sorry, but I could not find an answer in the sources.",
        "There is no information about salaries in the documents.",
        "The battery life of the Heron S2 is not specified in the provided sources.",
        "This cannot be determined from the given passages.",
        "None of the sources mention a dress code.",
        "Not specified.",
        "The information is not available to answer this.",
        "The documents provided to me do not mention it.",
        "I don't know.",
        "Die Quellen enthalten keine Angaben dazu.",
        "In den Quellen steht nichts über die Kantine.",
        "Das wird in den bereitgestellten Dokumenten nicht erwähnt.",
        "Leider geben die Dokumente darauf keine Antwort.",
        "Ich kann die Frage nicht beantworten.",
        "Cette information n'est pas mentionnée dans les documents.",
        "Las fuentes no mencionan esto.",
        "Le fonti non contengono questa informazione.",
        "Dit wordt niet vermeld in de documenten.",
        "As fontes não mencionam isso.",
    ],
)
def test_that_there_is_no_answer_is_understood_in_the_languages_of_the_prompts(sentence: str) -> None:
    assert says_no_answer(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "The policy does not cover dental care.",
        "Documents that do not contain personal data may be kept for ten years.",
        "No, it is not allowed.",
        "You cannot claim it without a receipt.",
        "There is no limit.",
        "The deposit is not returned.",
        "The sources do not mention Denmark, but everybody in the EU gets 27 days.",
        "The documents do not state this explicitly.",
        "Dokumente, die keine Daten enthalten, werden zehn Jahre aufbewahrt.",
        "Nein, das ist nicht erlaubt.",
        "Il n'y a pas de limite.",
        "The information is not given to third parties.",
        "The documents must not be given to visitors.",
        "No hay límite.",
    ],
)
def test_an_answer_that_denies_something_is_an_answer(sentence: str) -> None:
    assert not says_no_answer(sentence)


@pytest.mark.parametrize(("sentence", "empty"), [("I'm very sorry.", True), ("Leider.", True), ("Sorry, no.", False)])
def test_an_apology_says_nothing_yet(sentence: str, empty: bool) -> None:
    assert is_apology(sentence) == empty
