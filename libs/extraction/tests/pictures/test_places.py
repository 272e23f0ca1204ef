from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest
from libs.extraction.tests.pdf_pages import Drawing, drawn, lines, read
from reportlab.pdfgen.canvas import Canvas

from extraction.pictures.places import Box, PagePlaces

LEFT = ["The first column has", "words about the lake", "and about its fishes", "which nobody counted"]
RIGHT = ["The second column is", "about a hill that is", "as high as it can be", "and higher than that"]


def _by_rows(canvas: Canvas) -> None:
    for number, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
        canvas.drawString(60, 700 - 13 * number, left)
        canvas.drawString(320, 700 - 13 * number, right)


def _sideways(canvas: Canvas) -> None:
    canvas.rotate(90)
    lines(canvas, 60, -300, ["What is written sideways", "is found there, too."])


def _boxes_say(page: Drawing, folder: Path, words: str) -> list[str]:
    """The characters whose middle is in the boxes of these words of the text, by PDFium's own account."""
    content = drawn(page)
    text = read(content, folder)
    start = text.text.index(words)
    opened = pypdfium2.PdfDocument(content)[0]
    own = opened.get_textpage()
    places = PagePlaces(own, text.text, [(block.start, block.end) for block in text.blocks])
    return [_within(own, box) for box in places.boxes((start, start + len(words)))]


def _within(own: pypdfium2.PdfTextPage, box: Box) -> str:
    found = ""
    for number, letter in enumerate(own.get_text_range()):
        left, bottom, right, top = own.get_charbox(number, loose=True)
        if box.left < (left + right) / 2 < box.right and box.bottom < (bottom + top) / 2 < box.top:
            found += letter
    return found


def test_a_span_that_goes_over_lines_has_a_box_on_each(tmp_path: Path) -> None:
    said = _boxes_say(lambda canvas: lines(canvas, 60, 700, LEFT), tmp_path, "the lake and about")
    assert [part.strip() for part in said] == ["the lake", "and about"]


def test_a_column_is_marked_without_the_one_beside_it(tmp_path: Path) -> None:
    said = _boxes_say(_by_rows, tmp_path, "about its fishes which nobody")
    assert [part.strip() for part in said] == ["about its fishes", "which nobody"]


def test_a_span_may_begin_and_end_within_a_word(tmp_path: Path) -> None:
    said = _boxes_say(lambda canvas: canvas.drawString(60, 700, "Unbelievable things"), tmp_path, "believable thin")
    assert [part.strip() for part in said] == ["believable thin"]


@pytest.mark.parametrize("words", ["written sideways", "found there"])
def test_what_is_written_sideways_is_found(tmp_path: Path, words: str) -> None:
    assert " ".join(part.strip() for part in _boxes_say(_sideways, tmp_path, words)) == words
