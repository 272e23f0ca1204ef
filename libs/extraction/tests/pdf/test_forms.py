from __future__ import annotations

from pathlib import Path

from libs.extraction.tests.pdf_pages import drawn, read
from reportlab.lib.colors import black
from reportlab.pdfgen.canvas import Canvas


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
