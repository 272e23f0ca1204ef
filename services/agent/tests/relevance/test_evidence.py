from __future__ import annotations

import pytest

from agent.answering.judgement import first_ranking
from agent.questions.question import Question
from agent.relevance.evidence import EVIDENCE_FEATURES, chance_of_answer, evidence_features, own_features
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import passages
from agent.relevance.ranking import rank
from agent.testing.scripted_answers import bag_of_stems, hit

SOURCE = hit("The pump weighs 40 kilograms. It is kept dry in the store.")


@pytest.mark.parametrize("compared", [True, False])
def test_a_question_that_is_answered_has_the_better_chance(compared: bool) -> None:
    chances = []
    for text in ("What does the pump weigh?", "Who invented the telephone?"):
        question, found = Question(text), passages([SOURCE])
        vectors = [bag_of_stems(one) for one in (text, *(passage.embedded_text for passage in found))]
        ranked = first_ranking(question, found, vectors if compared else None)
        chances.append(chance_of_answer(question, ranked, Lexicon(), compared))
    assert 0 <= chances[1] < 0.24 < chances[0] <= 1


def test_no_passages_hold_no_answer() -> None:
    question = Question("What does the pump weigh?")
    assert chance_of_answer(question, [], Lexicon()) == 0
    assert len(evidence_features(question, [], Lexicon())) == len(EVIDENCE_FEATURES)


def test_by_the_sources_own_model_a_passage_that_stands_out_has_the_better_chance() -> None:
    question = Question("Wie schwer ist die Pumpe?")
    found = passages([hit("Die Pumpe wiegt viel. " + "Die Pumpe steht im Lager. " * 5, title="Pumpe")])
    alone = [0.5, *(0.1 for _ in found[1:])]
    among = [0.5, *(0.45 for _ in found[1:])]
    chances = []
    for cosines in (alone, among):
        ranked = rank(question, found, cosines)
        assert own_features(question, ranked, Lexicon())[-1] == evidence_features(question, ranked, Lexicon())[-1]
        chances.append(chance_of_answer(question, ranked, Lexicon(), own=True))
    assert chances[0] > chances[1] + 0.1
    assert own_features(question, [], Lexicon()) == (0, 0, 0, 1)
