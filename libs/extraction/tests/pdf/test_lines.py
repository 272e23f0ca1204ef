from __future__ import annotations

from pathlib import Path

from libs.extraction.tests.pdf_pages import blocks, page_of, read


def test_characters_outside_the_basic_plane_do_not_shift_the_places_of_others(tmp_path: Path) -> None:
    content = b"BT /F 12 Tf 50 700 Td (AA) Tj 0 -300 Td (xyz) Tj 300 0 Td (uvw) Tj ET"
    assert blocks(read(page_of(content, letters="𝑥"), tmp_path)) == ["𝑥𝑥", "xyz | uvw"]
