from __future__ import annotations

import pytest

from agent.questions.topic import topic_of


@pytest.mark.parametrize(
    ("asked", "topic"),
    [
        ("What did the president say about insulin prices?", "insulin prices"),
        ("what does the handbook say about parking?", "parking"),
        ("What is written in the policy? ", None),
        ("tell me about the Little Rock Arsenal", "the Little Rock Arsenal"),
        ("is there anything on remote work from abroad?", "remote work from abroad"),
        ("anything about parental leave", "parental leave"),
        ("Do we have any rules about pets?", "pets"),
        ("Was steht im Handbuch über Homeoffice?", "Homeoffice"),
        ("Gibt es Regeln zu Geschenken?", "Geschenken"),
        ("What does the manual say about how long the battery lasts?", None),
        ("tell me about it", None),
        ("How much is a hotel in Denmark?", None),
        ("What should I do about a stolen laptop?", None),
    ],
)
def test_a_topic_is_what_is_asked_about_as_a_whole(asked: str, topic: str | None) -> None:
    found = topic_of(asked)
    assert (found and found.text) == topic
