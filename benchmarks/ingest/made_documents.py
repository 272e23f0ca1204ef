"""Documents made for measuring: a manual of many pages, the same with one paragraph changed, a very long report."""

from __future__ import annotations

import random
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

VOCABULARY = """
valve pump sensor panel cable switch reading pressure filter water supply alarm check replace open close record
engineer weekly before after between should must report level temperature unit drain upper lower main spare
"""
WORDS = VOCABULARY.split()


def manual(path: Path, *, pages: int, changed: bool = False) -> Path:
    """Six paragraphs a page under a heading a page; with `changed`, one paragraph in the middle is another."""
    styles, words = getSampleStyleSheet(), random.Random(1)
    story: list[object] = []
    for page in range(1, pages + 1):
        story.append(Paragraph(f"Procedure {page}", styles["Heading1"]))
        for number in range(6):
            text = _prose(words, 70)
            if changed and page == pages // 2 and number == 3:
                text = "This paragraph was rewritten after the audit: the spare pump is now kept in the north store."
            story.append(Paragraph(text, styles["Normal"]))
        story.append(PageBreak())
    SimpleDocTemplate(str(path), pagesize=A4, title="Manual").build(story)
    return path


def changed_manual(path: Path, *, pages: int) -> Path:
    """The manual with one other paragraph."""
    return manual(path, pages=pages, changed=True)


def long_pdf(path: Path, *, pages: int) -> Path:
    """A report of many short pages."""
    words, canvas = random.Random(2), Canvas(str(path), pagesize=A4)
    for page in range(1, pages + 1):
        canvas.setFont("Helvetica", 10)
        canvas.drawString(60, 800, f"This is page {page} of the long report.")
        for line in range(30):
            canvas.drawString(60, 770 - 20 * line, _prose(words, 12))
        canvas.showPage()
    canvas.save()
    return path


def _prose(words: random.Random, count: int) -> str:
    return " ".join(words.choices(WORDS, k=count)).capitalize() + "."
