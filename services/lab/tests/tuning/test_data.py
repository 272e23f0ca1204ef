from __future__ import annotations

from typing import Any

import pytest

from contracts.improvement.question_sets import QuestionRecord
from contracts.improvement.tuning import DatasetCard
from lab.tuning.data import MOST_HELD_OUT, find_leaks, split_questions, words_of_question
from lab.tuning.errors import NothingToLearn, TooFewExamples

CARD = DatasetCard(training_set="set:a@1", digest="d", questions=0, train=0, held_out=0, split_by="")


def questions(count: int, start: int = 0, **more: Any) -> list[QuestionRecord]:
    return [
        QuestionRecord(id=f"q{n}", question=f"What is number {n}?", answers=["x"], **more)
        for n in range(start, start + count)
    ]


def answered(one: QuestionRecord) -> bool:
    return bool(one.answers)


def test_the_split_test_is_held_out_and_never_learnt() -> None:
    found = split_questions(
        [*questions(12), *questions(8, 20, split="test"), *questions(5, 40, split="dev")], None, answered, 1, CARD
    )
    assert {one.split for one in found.train} == {None}
    assert {one.split for one in found.held_out} == {"test"}
    card = found.card
    assert (card.questions, card.train, card.held_out, card.other_splits, card.split_by) == (
        25,
        12,
        8,
        5,
        "the split test",
    )


def test_a_tenth_is_held_out_by_the_seed_alone() -> None:
    given = questions(100)
    one, again = (split_questions(order, None, answered, 5, CARD) for order in (given, given[::-1]))
    other = split_questions(given, None, answered, 6, CARD)
    names = [{each.id for each in found.held_out} for found in (one, again, other)]
    assert names[0] == names[1] != names[2]
    assert len(names[0]) == 10
    assert not names[0] & {each.id for each in one.train}


def test_a_validation_set_is_what_is_judged_by() -> None:
    found = split_questions([*questions(12), *questions(8, 20, split="test")], questions(9, 50), answered, 1, CARD)
    assert (len(found.train), len(found.held_out), found.card.other_splits) == (12, 9, 8)


def test_too_little_is_refused_also_once_leaks_are_left_out() -> None:
    with pytest.raises(NothingToLearn):
        split_questions([QuestionRecord(id="q", question="?")], None, answered, 1, CARD)
    with pytest.raises(TooFewExamples, match=r"9 questions .* 6 held out"):
        split_questions(questions(15), None, answered, 1, CARD)
    found = split_questions(questions(16), None, answered, 1, CARD)
    with pytest.raises(TooFewExamples):
        found.without([found.train[0].id])


def test_a_leak_is_found_in_other_words_that_ask_the_same() -> None:
    train = questions(3)
    others = [
        QuestionRecord(id="o1", question="what's the number 1"),
        QuestionRecord(id="o2", question="Number 1 or 2?"),
    ]
    found = find_leaks(train, [words_of_question(one) for one in train], others)
    assert [(one.id, other.id) for one, other in found] == [("q1", "o1")]


def test_of_many_to_be_judged_by_some_are_drawn_and_the_card_says_so() -> None:
    given = [*questions(12), *questions(700, 20, split="test")]
    one, again = (split_questions(order, None, answered, 5, CARD) for order in (given, given[::-1]))
    assert {each.id for each in one.held_out} == {each.id for each in again.held_out}
    assert (one.card.held_out, one.card.train, one.card.other_splits) == (MOST_HELD_OUT, 12, 0)
    assert one.card.split_by == "500 of the split test's 700 by chance, seed 5"
    assert len(split_questions(questions(9000), None, answered, 5, CARD).held_out) == MOST_HELD_OUT
