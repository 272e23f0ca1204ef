from __future__ import annotations

import io

from libs.extraction.tests.cases import outline, read
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from extraction.formats.catalog import PDF


def test_pdf_headings_are_told_by_size_and_running_headers_are_left_out() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for number in range(1, 5):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(60, 810, "Handbook of the company")
        canvas.drawString(280, 30, f"Page {number} of 4")
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(60, 760, f"Chapter {number}")
        canvas.setFont("Helvetica", 10)
        canvas.drawString(60, 730, f"What stands in this chapter is number {number}.")
        canvas.showPage()
    canvas.save()
    document = read(buffer.getvalue(), PDF)
    assert outline(document)[:2] == [
        ("heading", "Chapter 1"),
        ("paragraph", "What stands in this chapter is number 1."),
    ]
    assert "Handbook of the company" not in document.text
    assert [block.heading_path for block in document.blocks if block.page == 4][-1] == ("Chapter 4",)
