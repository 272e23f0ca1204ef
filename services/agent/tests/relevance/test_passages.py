from __future__ import annotations

import pytest

from agent.relevance.passages import passages, plain, readable
from agent.testing.scripted_answers import hit

TABLE = hit("# Prices\n\n| Ticket | Euros |\n| --- | --- |\n| Adult | 14 |\n\nTickets are valid for a day.", "prices")


def test_a_row_is_read_with_its_column_names_and_quoted_from_its_header_on() -> None:
    row = next(one for one in passages([TABLE]) if one.unit.kind == "row" and "Adult" in one.text)
    assert readable(row) == "Ticket: Adult; Euros: 14"
    assert row.heading == "Prices"
    assert TABLE.text[slice(*row.span)].startswith("| Ticket | Euros |")


def test_what_overlapping_chunks_repeat_is_there_once_where_it_is_whole() -> None:
    text = "One is red. Two is blue. Three is green."
    whole, tail = hit(text), hit(text[12:], start=12, rank=1)
    assert [one.text for one in passages([whole, tail])] == ["One is red.", "Two is blue.", "Three is green."]


def test_neighbours_are_known_for_what_a_sentence_refers_to() -> None:
    first, second = passages([hit("The pump is new. It weighs 40 kilograms.")])
    assert (second.before, first.after) == (first.text, second.text)


def test_markup_and_line_breaks_are_no_words() -> None:
    assert plain("## A **bold**\n`word`") == "A bold word"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("set TIDE_CACHE or call __init__ of _private", "set TIDE_CACHE or call __init__ of _private"),
        ("_Never_ leave it, __not even once__.", "Never leave it, not even once."),
        ("**Bold** and `my_name` and *soft*", "Bold and my_name and soft"),
    ],
)
def test_underscores_of_names_stay_and_those_around_words_go(text: str, shown: str) -> None:
    assert plain(text) == shown
