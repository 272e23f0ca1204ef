from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libs.extraction.tests.cases import failure, outline, read

from extraction.formats.catalog import CSV, TSV
from extraction.model.document import clean
from extraction.model.limits import Limits

CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=";|"), max_size=12)
"""Without the other delimiters: rows of nothing but those can be read in two ways."""


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_file(delimiter: str) -> None:
    rows = ["Name", "Price; in EUR, net", "Note"], ["Plover", "1,5", "a:b"], ["Heron", "2,5", ""]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    expected = "Name | Price; in EUR, net | Note\n-|-|-\nPlover | 1,5 | a:b\nHeron | 2,5 |"
    assert outline(read(buffer.getvalue(), CSV)) == [("table", expected)]


def test_cells_over_several_lines_stay_in_their_row_and_a_lone_quote_swallows_nothing() -> None:
    assert read('a,b\n"one\ntwo",3\n', CSV).text == "a | b\n-|-\none two | 3"
    assert read('a,b\n"5 inch,1\nc,d\n', CSV).text == 'a | b\n-|-\n"5 inch | 1\nc | d'
    assert read("Industry\nBanks\nShops\n", CSV).text == "Industry\nBanks\nShops"
    assert read("größe\tmaß\n1\t2\n".encode("utf-16"), TSV).text == "größe | maß\n-|-\n1 | 2"


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=8))
def test_every_cell_is_found_in_the_text(rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["head", "row"], *rows])
    text = " ".join(read(buffer.getvalue(), CSV).text.split())
    for cell in (cell for row in rows for cell in row):
        assert " ".join(clean(cell).split()) in text


def test_a_line_of_megabytes_is_no_more_than_too_large() -> None:
    assert failure("x," * 2_000_000, CSV, Limits(1, 1000)).code == "too_large"
    assert failure('"' + "x" * 4_000_000, CSV, Limits(1, 1000)).code == "too_large"


def test_a_first_row_that_cannot_be_names_is_no_header() -> None:
    for first in ("2024-01-05,Kells", "Kells,120", "Kells,Kells", "Kells,It opens late."):
        assert "-|-" not in read(f"{first}\nTuam,90\n", CSV).text
    assert read("clinic,town,lead,opens\nNorth,Kells,,09:00\nSouth,Tuam\n", CSV).text == (
        "clinic | town | lead | opens\n-|-|-|-\nNorth | Kells |  | 09:00\nSouth | Tuam |  |"
    )
