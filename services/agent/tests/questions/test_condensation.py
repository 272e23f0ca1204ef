"""Follow-ups stand alone, and what stands alone is left as it is."""

from __future__ import annotations

import pytest

from agent.questions.condensation import condense


@pytest.mark.parametrize(
    ("earlier", "asked", "alone"),
    [
        ([], "How long is its warranty?", "How long is its warranty?"),
        (
            ["How much does delivery to the Netherlands cost?"],
            "And to Germany?",
            "How much does delivery to the Germany cost?",
        ),
        (
            ["How much does a Causeway G1 Solar cost?"],
            "How long is its warranty?",
            "How long is its warranty (Causeway G1 Solar)?",
        ),
        (
            ["How many days of holiday do I get?"],
            "And for part-time employees?",
            "How many days of holiday do I get? for part-time employees?",
        ),
        (["What is the deposit for a demo kit?"], "Who is the head of operations?", "Who is the head of operations?"),
        (
            ["what is the hotel limit in belgium?"],
            "And in Denmark?",
            "what is the hotel limit in Denmark?",
        ),
        (
            ["how long do you keep the pictures of the cameras at the gate"],
            "and the list of people who came to visit?",
            "how long do you keep the list of people who came to visit?",
        ),
        (
            ["How long is the warranty on a Causeway gateway?"],
            "And the battery?",
            "How long is the warranty on the battery?",
        ),
        (
            ["how long is the guarantee on a probe"],
            "and if it is registered?",
            "how long is the guarantee on a probe if it is registered?",
        ),
        (["hi, what is the deposit for a kit?"], "And the shipping?", "what is the deposit for the shipping?"),
        ([], "Hello! How many days of leave do I get?", "How many days of leave do I get?"),
        (["What about the demo kit deposit?"], "How much?", "What about the demo kit deposit? How much?"),
    ],
)
def test_a_follow_up_gets_what_it_leans_on(earlier: list[str], asked: str, alone: str) -> None:
    assert condense(asked, earlier) == alone


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    earlier = ["How much does a Causeway G1 Solar cost?", "How long is its warranty?"]
    assert "Causeway G1 Solar" in condense("Does it need a SIM card?", earlier)
