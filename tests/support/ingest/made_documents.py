"""A mixed pile of small documents in every format, sound and broken ones, each with its own text; made from a seed."""

from __future__ import annotations

import csv
import io
import json
import random
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

from docx import Document as Docx
from openpyxl import Workbook
from pptx import Presentation
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

VOCABULARY = """
delivery contract supplier invoice payment order customer store warranty repair bolt panel sensor river station battery
holiday expense report meeting office travel policy approval manager engineer safety check weekly monthly record limit
"""
WORDS = VOCABULARY.split()


class Pile:
    """Writes documents; what it writes depends on the seed alone."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self._makers: tuple[tuple[str, Callable[[int], bytes]], ...] = (
            ("md", self._markdown),
            ("txt", self._text),
            ("html", self._html),
            ("csv", self._csv),
            ("json", self._json),
            ("eml", self._mail),
            ("pdf", self._pdf),
            ("docx", self._docx),
            ("pptx", self._pptx),
            ("xlsx", self._xlsx),
            ("zip", self._zip),
            ("pdf", self._broken),
            ("pdf", self._locked),
            ("txt", self._blank),
        )

    def write(self, count: int) -> list[Path]:
        """So many documents, the formats in turn."""
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number in range(count):
            extension, make = self._makers[number % len(self._makers)]
            path = self._folder / f"{number:03}.{extension}"
            path.write_bytes(make(number))
            paths.append(path)
        return paths

    def _sentence(self, number: int) -> str:
        return f"Case {number}: {' '.join(self._random.choices(WORDS, k=14))}."

    def _paragraphs(self, number: int) -> list[str]:
        count = self._random.randint(3, 9)
        return [" ".join(self._sentence(number) for _ in range(5)) for _ in range(count)]

    def _markdown(self, number: int) -> bytes:
        return "\n\n".join(f"## Part {at}\n\n{text}" for at, text in enumerate(self._paragraphs(number))).encode()

    def _text(self, number: int) -> bytes:
        return "\n\n".join(self._paragraphs(number)).encode()

    def _html(self, number: int) -> bytes:
        body = "".join(f"<h2>Part {at}</h2><p>{text}</p>" for at, text in enumerate(self._paragraphs(number)))
        return f"<!doctype html><title>Case {number}</title>{body}".encode()

    def _csv(self, number: int) -> bytes:
        out = io.StringIO()
        csv.writer(out).writerows([["case", "what"], *([number, text] for text in self._paragraphs(number))])
        return out.getvalue().encode()

    def _json(self, number: int) -> bytes:
        return json.dumps({"case": number, "notes": self._paragraphs(number)}).encode()

    def _mail(self, number: int) -> bytes:
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = f"Case {number}", "a@example.org", "b@example.org"
        mail.set_content("\n\n".join(self._paragraphs(number)))
        mail.add_attachment(self._csv(number), maintype="text", subtype="csv", filename="list.csv")
        return mail.as_bytes()

    def _pdf(self, number: int, **options: object) -> bytes:
        out, style = io.BytesIO(), getSampleStyleSheet()["Normal"]
        story = [part for text in self._paragraphs(number) for part in (Paragraph(text, style), PageBreak())]
        SimpleDocTemplate(out, title=f"Case {number}", invariant=True, **options).build(story)
        return out.getvalue()

    def _docx(self, number: int) -> bytes:
        document, out = Docx(), io.BytesIO()
        document.add_heading(f"Case {number}", 1)
        for text in self._paragraphs(number):
            document.add_paragraph(text)
        document.save(out)
        return out.getvalue()

    def _pptx(self, number: int) -> bytes:
        slides, out = Presentation(), io.BytesIO()
        for text in self._paragraphs(number):
            slide = slides.slides.add_slide(slides.slide_layouts[1])
            slide.shapes.title.text, slide.placeholders[1].text = f"Case {number}", text
        slides.save(out)
        return out.getvalue()

    def _xlsx(self, number: int) -> bytes:
        book, out = Workbook(), io.BytesIO()
        for text in self._paragraphs(number):
            book.active.append([number, text])
        book.save(out)
        return out.getvalue()

    def _zip(self, number: int) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("a/notes.md", self._markdown(number))
            archive.writestr("list.csv", self._csv(number))
        return out.getvalue()

    def _broken(self, number: int) -> bytes:
        return self._pdf(number)[:400]

    def _locked(self, number: int) -> bytes:
        return self._pdf(number, encrypt=StandardEncryption("user", "owner"))

    def _blank(self, number: int) -> bytes:
        return b" \n" * (number + 1)
