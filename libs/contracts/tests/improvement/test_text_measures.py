from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from contracts.improvement.text_measures import MOST_WORDS, longest_common_subsequence, numbers, raw_tokens, words


def test_words_are_compared_without_case_punctuation_and_articles() -> None:
    assert words("The cat, a Cat & an ÉCLAIR!") == ["cat", "cat", "éclair"]
    assert words("有三天 in C有") == ["有", "三", "天", "in", "c", "有"]


def test_decimals_and_signs_stay_in_their_words() -> None:
    assert words("C++, C# or C: 1.5, v2.0. Then 5.") == ["c++", "c#", "or", "c", "1.5", "v2.0", "then", "5"]
    assert raw_tokens("A = a%") == ["A", "=", "a", "%"]


def test_the_first_words_are_measured() -> None:
    assert len(words("word " * (MOST_WORDS + 1))) == len(raw_tokens("word " * (MOST_WORDS + 1))) == MOST_WORDS


def _by_table(one: Sequence[str], other: Sequence[str]) -> int:
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for at, each in enumerate(other, start=1):
            before, row[at] = row[at], before + 1 if word == each else max(row[at], row[at - 1])
    return row[-1]


@pytest.mark.parametrize("seed", range(50))
def test_the_longest_common_subsequence_is_that_of_the_usual_table(seed: int) -> None:
    rng = random.Random(seed)
    one, other = (rng.choices("abcdefgh"[: rng.randint(1, 8)], k=rng.randint(0, 150)) for _ in range(2))
    assert longest_common_subsequence(one, other) == _by_table(one, other)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("EUR 1,180.50, 3.5 % of 007", [{"1180.5"}, {"3.5"}, {"7"}]),
        ("1,200 or 1.200", [{"1200", "1.2"}]),
        ("1.234.567 or 1'234'567,00", [{"1234567"}]),
        ("-0 and -.5", [{"0"}, {"-0.5"}]),
        ("on 2024-01-02", [{"2024"}, {"1"}, {"2"}]),
        ("1 200", [{"1"}, {"200"}]),
        ("\u0661\u066c\u0662\u0660\u0660\u066b\u0665", [{"1200.5"}]),
        ("none", []),
    ],
)
def test_a_number_is_all_that_it_can_be_read_as(text: str, read: list[set[str]]) -> None:
    assert numbers(text) == set(map(frozenset, read))
