"""What is left out of a variant: sentences that name no fact, or have a number that their fact has not."""

from __future__ import annotations

from examples.content.announce import problem

FACTS = ["The warranty is 2 years.", "The examination costs EUR 45."]


def test_a_sentence_has_only_the_numbers_of_its_own_fact() -> None:
    assert problem("Two words and 2 years of warranty.", 1, FACTS) is None
    assert problem("An examination is EUR 45.", 1, FACTS) == "no fact has 45"
    assert problem("It takes 15 days.", 2, FACTS) == "no fact has 15"


def test_a_fact_that_is_not_there_is_named() -> None:
    assert problem("Anything.", 3, FACTS) == "there is no fact 3"
    assert problem("Anything.", 0, FACTS) == "there is no fact 0"


def test_a_headline_may_have_the_numbers_of_any_fact() -> None:
    assert problem("2 years, and 45 euros", None, FACTS) is None
    assert problem("3 years", None, FACTS) == "no fact has 3"
