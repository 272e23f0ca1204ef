"""Which passage answers best, and which terms are the same."""

from __future__ import annotations

from agent.questions.question import Question
from agent.relevance.passages import passages
from agent.relevance.ranking import rank
from agent.testing.scripted_answers import hit
from agent.text.words import Term, form_set

HITS = [
    hit("## Pump K7\n\nThe pump weighs 40 kilograms. It is kept dry.", "a"),
    hit("## Pump K8\n\nThe pump weighs between 30 and 50 kilograms with its manual. Spare parts are in store.", "b"),
]
QUESTION = Question("What does the Pump K8 weigh?")


def test_passages_without_vectors_are_ranked_by_words() -> None:
    found = passages(HITS)
    best = rank(QUESTION, found, [])[0]
    assert "K8" in best.passage.in_context
    assert best.feature("cosine") == 0.0


def test_terms_are_the_same_only_with_the_same_forms() -> None:
    one, other = Term("lead", form_set("lead"), False), Term("lead", form_set("lead leads metal"), False)
    assert hash(one) == hash(other)
    assert one != other
    assert len({one: 1, other: 2}) == 2
