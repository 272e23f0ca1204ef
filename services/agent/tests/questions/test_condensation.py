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
        (["What about the demo kit deposit?"], "How much?", "What about the demo kit deposit? How much?"),
    ],
)
def test_a_follow_up_gets_what_it_leans_on(earlier: list[str], asked: str, alone: str) -> None:
    assert condense(asked, earlier) == alone


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    earlier = ["How much does a Causeway G1 Solar cost?", "How long is its warranty?"]
    assert "Causeway G1 Solar" in condense("Does it need a SIM card?", earlier)
