"""Running headers, footers and page numbers, which stand on every page and belong to none."""

from __future__ import annotations

from extraction.pdf.furniture import without_furniture
from extraction.pdf.lines import Line

TOP, BOTTOM = 800.0, 40.0


def line(text: str, top: float, height: float = 10.0) -> Line:
    return Line((text,), 50.0, 500.0, top - height, top, ((50.0, 500.0),))


def page(number: int, *, header: str = "Annual report", footer: str = "Page {}") -> list[Line]:
    body = [line(f"What page {number} says in its line {at} of prose.", 600.0 - 15 * at) for at in range(5)]
    return [line(header.format(number), TOP), *body, line(footer.format(number), BOTTOM)]


def texts(pages: list[list[Line]]) -> list[list[str]]:
    return [[line.cells[0] for line in page] for page in pages]


def test_what_recurs_at_the_edges_goes_whatever_number_it_counts_up() -> None:
    pages = [page(number) for number in range(8, 12)]
    assert without_furniture(pages) == [each[1:-1] for each in pages]


def test_two_pages_have_too_little_in_common_to_tell() -> None:
    pages = [page(1), page(2)]
    assert without_furniture(pages) == pages


def test_what_stands_on_fewer_pages_than_most_stays() -> None:
    pages = [page(number, header="Chapter one" if number < 5 else f"Word {'x' * number}") for number in range(10)]
    kept = texts(without_furniture(pages))
    assert [page[0] for page in kept] == [each[0].cells[0] for each in pages]
    assert [page[-1].startswith("What") for page in kept] == [True] * 10, "the footer is on all"


def test_empty_pages_count_for_nothing() -> None:
    pages = [page(1), [], page(2), [], page(3), []]
    assert without_furniture(pages) == [pages[0][1:-1], [], pages[2][1:-1], [], pages[4][1:-1], []]
    assert without_furniture([]) == []
    assert without_furniture([[], [], []]) == [[], [], []]


def test_what_recurs_in_the_middle_of_pages_is_text() -> None:
    pages = [[*page(number), line("The same sentence on every page.", 400.0)] for number in range(4)]
    assert all("The same sentence on every page." in kept for kept in texts(without_furniture(pages)))


def test_what_recurs_at_another_height_is_no_furniture() -> None:
    pages = [[line("Wandering", TOP - 7 * number), *page(number)[1:]] for number in range(4)]
    assert all(kept[0] == "Wandering" for kept in texts(without_furniture(pages)))


def test_a_line_higher_than_the_body_is_a_heading_wherever_it_stands() -> None:
    pages = [[line("Chapter 1", TOP, height=20.0), *page(number)[1:]] for number in range(4)]
    assert all(kept[0] == "Chapter 1" for kept in texts(without_furniture(pages)))


def test_no_page_loses_all_its_text() -> None:
    pages = [*[page(number) for number in range(4)], [line("Annual report", TOP), line("Page 5", BOTTOM)]]
    kept = texts(without_furniture(pages))
    assert kept[4] == ["Annual report", "Page 5"]
    assert "Annual report" not in kept[0]
