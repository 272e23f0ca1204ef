from __future__ import annotations

from agent.answering.judgement import first_ranking, weigh
from agent.grounding.acceptance import Checked, is_answer
from agent.grounding.citations import Support
from agent.questions.question import Question
from agent.relevance.evidence import Evidence
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import passages
from agent.testing.scripted_answers import bag_of_stems, hit

SOURCE = hit("The museum opens at nine. A ticket for the museum costs 14 euros. The cafe is closed on Mondays.")


def _evidence(text: str) -> Evidence:
    question, found = Question(text), passages([SOURCE])
    vectors = [bag_of_stems(one) for one in (text, *(passage.embedded_text for passage in found))]
    return weigh(question, found, found, vectors, first_ranking(question, found, vectors), Lexicon())


def _says(text: str) -> Checked:
    begin = SOURCE.text.index(text)
    return Checked(text, "", Support(SOURCE, (begin, begin + len(text)), 1.0))


def test_a_true_sentence_beside_the_point_is_no_answer_of_a_small_model() -> None:
    evidence = _evidence("How much is a ticket for the museum?")
    price, aside = _says("A ticket for the museum costs 14 euros."), _says("The cafe is closed on Mondays.")
    assert is_answer([price], evidence, careful=True)
    assert not is_answer([aside], evidence, careful=True)
    assert is_answer([aside, price], evidence, careful=True)
    assert is_answer([aside], evidence, careful=False)


def test_nothing_is_no_answer() -> None:
    assert not is_answer([], _evidence("How much is a ticket?"), careful=False)


def test_an_answer_gives_the_figure_that_the_best_passage_gives() -> None:
    evidence = _evidence("How much is a ticket for the museum?")
    price = _says("A ticket for the museum costs 14 euros.")
    assert not is_answer([Checked("A ticket for the museum costs euros.", "", price.support)], evidence, careful=True)
