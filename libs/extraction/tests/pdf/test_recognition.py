from __future__ import annotations

from extraction.pdf.layout import paragraphs
from extraction.pdf.recognition import placed


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
