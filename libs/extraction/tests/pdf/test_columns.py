from __future__ import annotations

from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import BODY, blocks, drawn, in_order, lines, page_of, read, scan
from reportlab.lib.colors import black
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from extraction.model.failures import ParseFailed
from extraction.pdf import recognition
from extraction.pdf.hyphens import Hyphens
from extraction.pdf.layout import paragraphs
from extraction.pdf.lines import HYPHEN
from extraction.pdf.recognition import placed

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


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_that_is_written_sideways_or_upside_down_is_read_like_an_upright_one(
    tmp_path: Path, degrees: int
) -> None:
    def upright(canvas: Canvas) -> None:
        lines(canvas, 60, 500, LEFT[:5])
        for left, cell in ((60, "Hotel"), (200, "150"), (300, "a night")):
            canvas.drawString(left, 400, cell)

    def turned(canvas: Canvas) -> None:
        canvas.translate(A4[0] / 2, A4[1] / 2)
        canvas.rotate(degrees)
        canvas.translate(-A4[0] / 2, -A4[1] / 2)
        canvas.setFont("Helvetica", BODY)
        upright(canvas)

    expected = blocks(read(drawn(upright), tmp_path))
    assert expected[-1] == "Hotel | 150 | a night"
    assert blocks(read(drawn(turned), tmp_path)) == expected


def test_a_stamp_at_the_edge_does_not_disturb_the_text(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.rotate(90)
        canvas.drawString(300, -30, "arXiv:2101.00001")
        canvas.restoreState()
        lines(canvas, 60, 700, LEFT)
        lines(canvas, 300, 700, RIGHT)

    assert in_order(read(drawn(page), tmp_path).text, [*LEFT, *RIGHT, "arXiv:2101.00001"])


def test_a_parted_word_is_joined_only_where_the_text_shows_that_it_is_one(tmp_path: Path) -> None:
    texts = [
        "This column parts the word exam-",
        "ple, which is an example, and a well-",
        "known one; here well is written, and",
        "known as well. From 1990-",
        "1995 it was the Jean-",
        "Paul method.",
    ]
    text = read(drawn(lambda canvas: lines(canvas, 60, 700, texts)), tmp_path).text
    assert "word example, which" in text
    assert "a well-known one" in text
    assert "1990-1995" in text.replace("\n", "")
    assert "Jean-Paul" in text
    assert HYPHEN not in text


@pytest.mark.parametrize(
    ("parted", "others", "whole"),
    [
        ("exam|ple", "", "example"),
        ("day|light", "day light", "day-light"),
        ("day|light", "day light daylight", "daylight"),
        ("counter|act", "counter-act", "counter-act"),
        ("state-of-the|art", "", "state-of-the-art"),
        ("self|made", "", "self-made"),
        ("Jean|Paul", "", "Jean-Paul"),
        ("B|2", "", "B-2"),
    ],
)
def test_hyphens_are_decided_by_the_other_words_of_the_text(parted: str, others: str, whole: str) -> None:
    text = parted.replace("|", HYPHEN)
    assert Hyphens([text, others]).resolved(f"({text}).") == f"({whole})."


def test_uncommon_characters_stay_as_they_are(tmp_path: Path) -> None:
    text = "Größe: 5 µm ± 2 % – “naïve” café, § 7, ½ Ω?"
    known = text.replace("Ω", "")
    assert read(drawn(lambda canvas: canvas.drawString(60, 700, known)), tmp_path).text == known


def test_text_from_right_to_left_is_in_the_order_of_its_letters(tmp_path: Path) -> None:
    words = "שלום עולם"
    letters = "".join(sorted(set(words) - {" "}))
    seen = "".join(" " if letter == " " else chr(65 + letters.index(letter)) for letter in reversed(words))
    content = b"BT /F 12 Tf 300 700 Td (%s) Tj ET" % seen.encode()
    assert read(page_of(content, letters=letters), tmp_path).text == words


def test_characters_outside_the_basic_plane_do_not_shift_the_places_of_others(tmp_path: Path) -> None:
    content = b"BT /F 12 Tf 50 700 Td (AA) Tj 0 -300 Td (xyz) Tj 300 0 Td (uvw) Tj ET"
    assert blocks(read(page_of(content, letters="𝑥"), tmp_path)) == ["𝑥𝑥", "xyz | uvw"]


def test_a_form_says_what_was_filled_in(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(60, 700, "Application for leave")
        form = canvas.acroForm
        form.textfield(name="surname", tooltip="Family name", value="Lovelace", x=60, y=600, borderColor=black)
        form.textfield(name="days", tooltip="days", value="", x=60, y=560)
        form.checkbox(name="paid", tooltip="Paid leave", checked=True, x=60, y=520)

    text = read(drawn(page), tmp_path).text
    assert text.splitlines()[0] == "Application for leave"
    assert text.splitlines()[-3:] == ["Family name (surname): Lovelace", "days", "Paid leave (paid): Yes"]


def test_pages_without_text_between_others_keep_the_numbers_right(tmp_path: Path) -> None:
    document = read(
        drawn(
            lambda canvas: canvas.drawString(60, 700, "The first page."),
            lambda canvas: None,
            lambda canvas: canvas.drawString(60, 700, "The third page."),
        ),
        tmp_path,
    )
    assert [(block.page, text) for block, text in zip(document.blocks, blocks(document), strict=True)] == [
        (1, "The first page."),
        (3, "The third page."),
    ]
    assert document.pages == 3


def test_a_scan_is_not_ready_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "installed", lambda: False)
    with pytest.raises(ParseFailed) as failure:
        read(drawn(scan), tmp_path)
    assert failure.value.code == "no_text"


def test_recognised_pieces_become_lines_in_reading_order() -> None:
    def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
        return [[left, top], [right, top], [right, bottom], [left, bottom]]

    found = [
        (box(400, 102, 500, 121), "EUR 249"),
        (box(100, 200, 700, 220), "The second line goes from here"),
        (box(100, 100, 200, 120), "Plover"),
        (box(100, 224, 300, 244), "to here."),
        (box(0, 0, 9, 9), " "),
    ]
    lines_ = placed([corners for corners, _ in found], [text for _, text in found], scale=2.0, height=400.0)
    assert [piece.text for piece in paragraphs(lines_)] == [
        "Plover | EUR 249",
        "The second line goes from here to here.",
    ]
    assert (lines_[0].left, lines_[0].right, lines_[0].bottom, lines_[0].top) == (50, 100, 340, 350)


def test_the_width_of_test_columns_leaves_a_gutter() -> None:
    """The tests above would test nothing if their columns touched."""
    assert max(stringWidth(text, "Helvetica", BODY) for text in LEFT) < 300 - 60 - BODY
