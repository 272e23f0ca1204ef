"""Tables that go on from one chunk to the next."""

from __future__ import annotations

from agent.relevance.passages import passages, readable
from agent.relevance.tables import begins_in_table, columns_of, goes_on
from agent.testing.scripted_answers import hit

HEAD = "Bikes\n\nModel | Price | Weight\nFjord 3 | 749 | 15.2"
REST = "Tern Volt | 2890 | 23.5\nGravel King | 1690 | 9.8"
FIRST, SECOND = hit(HEAD, "prices"), hit(REST, "prices", start=len(HEAD) + 1, rank=1)


def test_a_row_has_the_column_names_of_the_chunk_before() -> None:
    rows = [readable(one) for one in passages([SECOND, FIRST]) if one.unit.kind == "row"]
    assert rows[0] == "Model: Tern Volt; Price: 2890; Weight: 23.5"
    assert rows[-1] == "Model: Fjord 3; Price: 749; Weight: 15.2"


def test_a_row_is_quoted_from_its_own_chunk_alone() -> None:
    row = next(one for one in passages([SECOND, FIRST]) if "Tern" in one.text)
    assert SECOND.text[slice(*row.span)] == row.text


def test_the_first_row_of_a_chunk_in_a_table_is_no_header() -> None:
    head = "Country | Capital | Currency\nFrance | Paris | Euro 1"
    rest = "Peru | Lima | Sol\nChile | Santiago | Peso 2"
    hits = [hit(head, "facts"), hit(rest, "facts", start=len(head) + 1, rank=1)]
    assert [readable(one) for one in passages(hits)][-2:] == [
        "Country: Peru; Capital: Lima; Currency: Sol",
        "Country: Chile; Capital: Santiago; Currency: Peso 2",
    ]


def test_names_that_are_known_need_no_chunk_before() -> None:
    row = passages([SECOND], {SECOND.chunk_id: ("Model", "Price", "Weight")})[0]
    assert readable(row) == "Model: Tern Volt; Price: 2890; Weight: 23.5"


def test_another_table_has_names_of_its_own() -> None:
    apart = hit(REST, "prices", start=len(HEAD) + 2, rank=1)
    assert not goes_on(FIRST, apart)
    assert columns_of([FIRST, apart]) == {}
    fewer = hit("Tern Volt | 2890", "prices", start=len(HEAD) + 1, rank=1)
    assert columns_of([FIRST, fewer]) == {}


def test_a_chunk_begins_in_a_table_by_a_row_without_header() -> None:
    assert begins_in_table(SECOND)
    assert not begins_in_table(FIRST)
    assert not begins_in_table(hit("A sentence that is none.", start=9))
