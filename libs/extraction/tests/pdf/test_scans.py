from __future__ import annotations

from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import LIMITS, draw, drawn, read, scan
from reportlab.pdfgen.canvas import Canvas

from extraction.model.document import Resume
from extraction.model.failures import ParseFailed
from extraction.model.parts import joined
from extraction.pdf import recognition
from extraction.pdf.parser import PART_PAGES
from extraction.pdf.parser import read as parts


def test_a_scan_is_not_ready_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "installed", lambda: False)
    with pytest.raises(ParseFailed) as failure:
        read(drawn(scan), tmp_path)
    assert failure.value.code == "no_text"


def test_scanned_pages_among_others_are_named_over_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "installed", lambda: False)
    scanned = {3, PART_PAGES + 9}
    pages = [
        scan if number in scanned else lambda canvas, number=number: draw(canvas, "prose", number)
        for number in range(1, PART_PAGES + 20)
    ]
    path = tmp_path / "document.pdf"
    path.write_bytes(drawn(*pages))
    found = list(parts(path, LIMITS, Resume()))
    assert len(found) == 2
    assert found[-1].state["unread_pages"] == sorted(scanned)
    assert {block.page for block in joined(found).blocks}.isdisjoint(scanned)


def test_a_scan_with_a_stamp_keeps_the_stamp_and_is_still_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "installed", lambda: False)

    def stamped(canvas: Canvas) -> None:
        scan(canvas)
        canvas.drawString(400, 20, "ABC 000123")

    path = tmp_path / "document.pdf"
    path.write_bytes(drawn(stamped))
    (part,) = parts(path, LIMITS, Resume())
    assert part.text == "ABC 000123"
    assert part.state["unread_pages"] == [1]


def test_a_picture_in_a_text_is_no_scan(tmp_path: Path) -> None:
    def page(canvas: Canvas) -> None:
        scan(canvas)
        draw(canvas, "prose", 1)

    path = tmp_path / "document.pdf"
    path.write_bytes(drawn(page))
    (part,) = parts(path, LIMITS, Resume())
    assert part.state["unread_pages"] == []
