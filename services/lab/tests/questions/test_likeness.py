from __future__ import annotations

import tracemalloc

import pytest

from lab.questions.likeness import Asked, conversation_words, find_alike, words_of


def _alike(*texts: str) -> list[tuple[int, int, bool]]:
    return find_alike([words_of(text) for text in texts])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the refund limit?", "what's a refund limit"),
        ("Is parking free?", "Please: is the parking free"),
        ("假期有几天?", "假期有几天"),
        ("???", " ??? "),
        ("Is the re\u00adfund paid?", "is refund paid"),
        ("It is -5?", "it \u22125"),
        ("WHAT IS A REFUND?", "what is a refund"),
    ],
)
def test_questions_in_the_same_words_are_alike_whatever_little_ones_stand_between(one: str, other: str) -> None:
    assert _alike(one, other) == [(0, 1, True)]


@pytest.mark.parametrize(("one", "other"), [("refunds", "refund"), ("classes", "class"), ("agreed", "agree")])
def test_a_plural_or_a_past_in_one_word_makes_no_other_question(one: str, other: str) -> None:
    assert _alike(f"Which {one} is it?", f"Which {other} is it?") == [(0, 1, False)]


def test_a_word_of_a_whole_text_takes_no_memory_but_its_own() -> None:
    long = "abcdefgh" * 4_096
    tracemalloc.start()
    try:
        assert _alike(f"{long}s", long) == [(0, 1, False)]
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What was the budget in 2023?", "What was the budget in 2024?"),
        ("How much is 1000 worth?", "How much is 10000 worth?"),
        ("Is Maria on leave?", "Is Mario on leave?"),
        ("Is it legal in Berlin?", "Is it legal in Merlin?"),
        ("Is it typical?", "Is it atypical?"),
        ("May I park here?", "May I not park here?"),
        ("Does Ann outrank Bob?", "Does Bob outrank Ann?"),
        ("一年有几天?", "二年有几天?"),
        ("Who is Johnson?", "Who is Johnston?"),
        ("What is C?", "What is C++?"),
        ("What is C?", "What is C#?"),
        ("What is C++?", "What is C#?"),
        ("Is it -5 outside?", "Is it 5 outside?"),
        ("When is x > 5?", "When is x < 5?"),
        ("Does it cost $5?", "Does it cost 5 €?"),
        ("Is it 5%?", "Is it 5?"),
        ("Is it 1.5?", "Is it 1-5?"),
        ("Is it 1.5?", "Is it 15?"),
        ("What does vitamin A do?", "What does vitamin do?"),
        ("What is vitamin a?", "What is vitamin?"),
        ("कि", "की"),
        ("ไม้ ใกล้", "ไม่ ใกล้"),
        ("Is a bd plan there?", "Is a bad plan there?"),
    ],
)
def test_what_asks_for_something_else_is_not_alike(one: str, other: str) -> None:
    assert _alike(one, other) == []


def test_a_group_in_the_same_words_is_told_with_its_first() -> None:
    assert _alike("One day?", "Two days?", "one day", "ONE DAY!") == [(0, 2, True), (0, 3, True)]


def test_a_conversation_is_another_question_than_its_last_words_alone() -> None:
    parts = ["How many days in Berlin?", "And in Rome?"]
    assert find_alike([conversation_words(parts), conversation_words(parts[1:])]) == []
    assert find_alike([conversation_words(parts), conversation_words(["how many days in BERLIN", "and in Rome"])])


def test_thousands_of_questions_of_the_same_words_but_one_are_looked_at_in_one_go() -> None:
    texts = [f"What is the limit of customer {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{n}?" for n in range(10_000)]
    assert _alike(*texts) == []


def test_one_more_question_is_told_from_those_that_are_there_as_pairs_are() -> None:
    there = ["What is the event of May?", "Who pays the refunds?", "May I bring vitamin A?"]
    asked = Asked(words_of(text) for text in there)
    for text in ("what are the events of may", "Who pays the refund?", "please, May I bring the vitamin A?"):
        assert asked.has(words_of(text))
        assert find_alike([*map(words_of, there), words_of(text)])
    for text in ("What is the event of June?", "Who pays the funds?", "May I bring vitamin B?"):
        assert not asked.has(words_of(text))
    asked.add(words_of("Who pays the funds?"))
    assert asked.has(words_of("who pays funds"))
    assert not asked.has(("word",) * 100)
