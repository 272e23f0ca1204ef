from __future__ import annotations

import pytest

from agent.grounding.clauses import mixes_clauses

FARES = "Adults pay 10 euros and children pay 5 euros."


@pytest.mark.parametrize("sentence", ["Children pay 10 euros.", "Adults pay 5 euros."])
def test_a_number_of_another_clause_is_not_what_the_source_says(sentence: str) -> None:
    assert mixes_clauses(sentence, FARES)


@pytest.mark.parametrize("sentence", ["Adults pay 10 euros.", "Children pay 5 euros, adults pay 10 euros.", FARES])
def test_a_number_stays_with_its_subject(sentence: str) -> None:
    assert not mixes_clauses(sentence, FARES)


def test_rows_and_single_clauses_are_left_to_other_rules() -> None:
    assert not mixes_clauses("Children pay 10 euros.", "Adults | 10 euros | Children | 5 euros")
    assert not mixes_clauses("Children pay 10 euros.", "Adults pay 10 euros.")
