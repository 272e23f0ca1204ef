from __future__ import annotations

from extraction.pdf.lines import HYPHEN
from extraction.pictures.matching import Place, Word, drawn_words, match_words, written_words


def _matched(written: str, drawn: str) -> list[str]:
    """For each written word what is drawn of it; all stands on one line."""
    words = drawn_words(drawn)
    along = [(float(number), 0.0) for number in range(len(words))]
    found = match_words(written_words(written, [(0, len(written))]), words, along)
    return ["+".join(words[number].key for number in numbers) for numbers in found]


def _numbers(written: str, drawn: str, places: list[Place]) -> list[int]:
    words = written_words(written, [(0, len(written))])
    return [numbers[0] for numbers in match_words(words, drawn_words(drawn), places)]


def test_columns_that_are_drawn_row_by_row_are_found_in_reading_order() -> None:
    drawn = "One begins Two begins\r\none goes on two goes on"
    assert _matched("One begins one goes on\n\nTwo begins two goes on", drawn) == (
        ["One", "begins", "one", "goes", "on", "Two", "begins", "two", "goes", "on"]
    )


def test_a_word_that_a_line_parted_is_found_in_two_halves() -> None:
    assert _matched("an example here", f"an exam{HYPHEN}\r\nple here") == ["an", "exam+ple", "here"]
    assert _matched("from 2010–2012 on", "from 2010–\r\n2012 on") == ["from", "2010–+2012", "on"]
    assert _matched("well-known", f"well{HYPHEN}\r\nknown") == ["well+known"]


def test_the_same_words_in_a_title_and_in_a_header_are_told_apart_by_what_follows() -> None:
    places = [(0.0, 90.0 - number) for number in range(8)]
    assert _numbers("Annual Report This year", "Annual Report 7 Annual Report This year", places) == [3, 4, 5, 6]


def test_a_cell_is_the_one_of_its_own_row_where_a_table_is_drawn_by_columns() -> None:
    drawn = "tea coffee milk yes no yes"
    places = [(left, height) for left in (0.0, 80.0) for height in (90.0, 70.0, 50.0)]
    assert _numbers("coffee | no\nmilk | yes\ntea | yes", drawn, places) == [1, 4, 2, 5, 0, 3]


def test_what_is_not_drawn_has_no_place_and_takes_none_of_others() -> None:
    assert _matched("Name: Ada the end", "the end") == ["", "", "the", "end"]


def test_one_word_again_and_again_does_not_cost_the_square_of_the_length() -> None:
    word = Word("a", 0, 1)
    found = match_words([word] * 20_000, [word] * 20_000, [(0.0, 0.0)] * 20_000)
    assert found == [(number,) for number in range(20_000)]
