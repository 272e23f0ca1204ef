from __future__ import annotations

import pytest

from retriever.text.bm25 import document_vector, query_vector, term_index
from retriever.text.terms import terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The runners were running", ["runner", "run"]),
        ("ＦＵＬＬ width", ["full", "width"]),
        ("foo_bar v1.2", ["foo", "bar", "v1", "2", "foo_bar"]),
        ("Größe naïve", ["gross", "naïv"]),
        ("这是中文", ["这是", "是中", "中文", "这", "是", "中", "文"]),
        ("東", ["東"]),
        ("使用Python编程", ["使用", "使", "用", "python", "编程", "编", "程"]),
        ("مرحبا بالعالم", ["مرحب", "عالم"]),
        ("ship the 🚀", ["ship", "🚀"]),
        ("the and of", []),
        ("...!?", []),
        ("", []),
    ],
)
def test_text_of_any_script_becomes_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_a_term_repeated_counts_more_but_ever_less() -> None:
    one, two, three = (_weight("falcon " * times + "pebble " * (20 - times)) for times in (1, 2, 3))
    assert one < two < three
    assert two - one > three - two


def test_a_term_weighs_less_in_a_longer_text() -> None:
    assert _weight("falcon " + "pebble " * 300) < _weight("falcon")


def test_a_query_counts_each_term_once() -> None:
    vector = query_vector("falcon Falcons falcon")
    assert (vector.indices, vector.values) == ([term_index("falcon")], [1.0])


def test_a_term_has_the_same_dimension_for_ever() -> None:
    assert term_index("falcon") == 3_855_357_350


def test_a_huge_word_is_cut() -> None:
    assert terms("x" * 5000) == ["x" * 64]


def _weight(text: str) -> float:
    vector = document_vector(text)
    return vector.values[vector.indices.index(term_index("falcon"))]
