from __future__ import annotations

from pathlib import Path

from libs.extraction.tests.pdf_pages import blocks, drawn, read


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
