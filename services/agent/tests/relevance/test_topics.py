from __future__ import annotations

import pytest

from agent.questions.question import Question
from agent.relevance.lexicon import Lexicon
from agent.relevance.passages import passages
from agent.relevance.ranking import rank
from agent.relevance.topics import spoken_of
from agent.testing.scripted_answers import hit

SPEECH = hit(
    "The cost of insulin is capped at 35 dollars.\n\n## Teachers\n\nThey get a raise. In Denmark a school was closed.",
    title="Speech",
)


@pytest.mark.parametrize(
    ("topic", "told"),
    [
        ("insulin", ["The cost of insulin is capped at 35 dollars."]),
        ("teachers", ["They get a raise.", "In Denmark a school was closed."]),
        ("insulin in Denmark", []),
        ("burn pits", []),
    ],
)
def test_what_names_a_topic_or_stands_below_its_name_tells_of_it(topic: str, told: list[str]) -> None:
    asked = Question(topic)
    ranked = rank(asked, passages([SPEECH]), [])
    assert sorted(one.passage.text for one in spoken_of(asked, ranked, Lexicon())) == sorted(told)
