from __future__ import annotations

import time

import pytest

from retriever.text.terms import query_terms, terms


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


def test_a_huge_word_is_cut() -> None:
    assert terms("x" * 5000) == ["x" * 64]


def test_other_scripts_have_their_own_stemmer_in_any_collection() -> None:
    assert terms("книги", "de") == terms("книга", "de") == terms("книгу")


def test_marks_of_vowels_do_not_part_words() -> None:
    assert terms("हिन्दी") == ["हिन्द"]
    assert terms("مُحَمَّد") == terms("محمد")


def test_names_written_like_code_stay_whole() -> None:
    assert terms("siRNA NFkB readFile") == ["sirna", "nfkb", "readfil", "read", "file"]


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("red car", "The red car stands in the yard."),
        ("car insurance price", "Car insurance"),
        ("die casting", "A die casting plant."),
        ("son", "My son is five."),
    ],
)
def test_a_word_that_is_a_function_word_elsewhere_is_not_lost(query: str, document: str) -> None:
    shared = {*query_terms(query)} & {*terms(document)}
    assert {"car", "die", "son"} & shared


@pytest.mark.parametrize("letter", ["0", "a", "字", "_a", "aB", "a__"])
def test_a_word_without_end_costs_no_more_than_as_many_short_ones(letter: str) -> None:
    endless = (letter * 65_536)[:65_536]
    began = time.process_time()
    query_terms(endless)
    terms(endless)
    assert time.process_time() - began < 30, "seconds; it was a minute when each letter was tried as a beginning"
