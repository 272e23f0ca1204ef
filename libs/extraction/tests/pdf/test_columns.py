from __future__ import annotations

import io
from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import BODY, blocks, drawn, in_order, lines, read
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

LEFT = [f"The left column runs on in line {number}," for number in range(12)]


MIDDLE = [f"The middle column runs on in {number}," for number in range(12)]


RIGHT = [f"The right column runs on in line {number}," for number in range(12)]


def test_columns_that_are_drawn_row_by_row_are_read_one_after_the_other(tmp_path: Path) -> None:
    def rows(canvas: Canvas) -> None:
        for number in range(12):
            canvas.drawString(60, 700 - 13 * number, LEFT[number])
            canvas.drawString(300, 700 - 13 * number, RIGHT[number])

    assert in_order(read(drawn(rows), tmp_path).text, [*LEFT, *RIGHT])


def test_a_title_over_two_columns_comes_first_whenever_it_was_drawn(tmp_path: Path) -> None:
    title = "What stands over both of the columns of this page"

    def page(canvas: Canvas) -> None:
        lines(canvas, 300, 700, RIGHT)
        lines(canvas, 60, 700, LEFT)
        canvas.drawString(60, 60, "What stands under both of the columns, from the left to the right of the page")
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(60, 760, title)

    text = read(drawn(page), tmp_path).text
    assert in_order(text, [title, *LEFT, *RIGHT, "What stands under"])


@pytest.mark.parametrize("row_by_row", [True, False])
def test_three_columns_are_read_from_left_to_right(tmp_path: Path, row_by_row: bool) -> None:
    def page(canvas: Canvas) -> None:
        places = [(40, LEFT), (220, MIDDLE), (405, RIGHT)]
        canvas.setFont("Helvetica", 8)
        if row_by_row:
            for number in range(12):
                for left, column in places:
                    canvas.drawString(left, 700 - 13 * number, column[number])
        else:
            for left, column in reversed(places):
                lines(canvas, left, 700, column)

    assert in_order(read(drawn(page), tmp_path).text, [*LEFT, *MIDDLE, *RIGHT])


def test_a_table_is_read_row_by_row_also_within_a_column(tmp_path: Path) -> None:
    rows = [("Hotel", "150", "a night"), ("Train", "90", "a day"), ("Meals", "40", "a day")]

    def page(canvas: Canvas) -> None:
        lines(canvas, 60, 700, LEFT)
        lines(canvas, 300, 700, RIGHT[:6])
        for number, row in enumerate(rows):
            for left, cell in zip((300, 380, 440), row, strict=True):
                canvas.drawString(left, 600 - 13 * number, cell)
        lines(canvas, 300, 540, RIGHT[6:])

    text = read(drawn(page), tmp_path).text
    assert in_order(
        text, [*LEFT, *RIGHT[:6], "Hotel | 150 | a night\nTrain | 90 | a day\nMeals | 40 | a day", *RIGHT[6:]]
    )


def test_a_table_that_was_drawn_column_by_column_is_read_row_by_row(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        for column in range(3):
            lines(canvas, 60 + 120 * column, 700, [f"cell {row}.{column}" for row in range(9)])

    rows = "\n".join(" | ".join(f"cell {row}.{column}" for column in range(3)) for row in range(9))
    assert blocks(read(drawn(page), tmp_path)) == [rows]


def test_a_table_of_words_is_not_taken_for_columns(tmp_path: Path) -> None:
    rows = [(f"Reason {number}", f"It was agreed in meeting {number} of the board") for number in range(8)]

    def page(canvas: Canvas) -> None:
        for number, (name, text) in enumerate(rows):
            canvas.drawString(60, 700 - 13 * number, name)
            canvas.drawString(200, 700 - 13 * number, text)

    assert blocks(read(drawn(page), tmp_path)) == ["\n".join(" | ".join(row) for row in rows)]


def test_the_width_of_test_columns_leaves_a_gutter() -> None:
    """The tests above would test nothing if their columns touched."""
    assert max(stringWidth(text, "Helvetica", BODY) for text in LEFT) < 300 - 60 - BODY


def test_pdf_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for left, side in ((60, "left"), (320, "right")):
        for line in range(12):
            canvas.drawString(left, 760 - 14 * line, f"The {side} column, line {line}, runs on")
    canvas.save()
    text = read(buffer.getvalue(), tmp_path).text
    assert text.index("left column, line 11") < text.index("right column, line 0")
