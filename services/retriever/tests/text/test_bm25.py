from __future__ import annotations

from retriever.text.bm25 import document_vector, query_vector, term_index


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


def _weight(text: str) -> float:
    vector = document_vector(text)
    return vector.values[vector.indices.index(term_index("falcon"))]
