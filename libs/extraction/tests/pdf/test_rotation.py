from __future__ import annotations

from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import BODY, blocks, drawn, in_order, lines, read
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

LEFT = [f"The left column runs on in line {number}," for number in range(12)]


RIGHT = [f"The right column runs on in line {number}," for number in range(12)]


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
