from __future__ import annotations

from inference.protocol.prefixes import NO_PREFIXES, Prefixes


def test_a_query_and_a_passage_have_their_own() -> None:
    prefixes = Prefixes(query="query: ", passage="passage: ")
    assert (prefixes.of("query"), prefixes.of("passage")) == ("query: ", "passage: ")
    assert prefixes.room == len("passage: ")


def test_without_prefixes_nothing_is_put_before_and_no_room_is_taken() -> None:
    assert (NO_PREFIXES.of("query"), NO_PREFIXES.of("passage"), NO_PREFIXES.room) == ("", "", 0)
    assert Prefixes(query="é").room == 2, "no token is shorter than a byte"
