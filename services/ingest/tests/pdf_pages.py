"""PDFs for tests, drawn from known text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ingest.parsing.formats import PDF, Limits, extract
from ingest.parsing.structure import Extracted

LIMITS = Limits(max_pages=2000, max_text_chars=1_000_000)
Drawing = Callable[[Canvas], None]
BODY = 10


def drawn(*pages: Drawing, size: tuple[float, float] = A4) -> bytes:
    """A PDF of these pages."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=size)
    for page in pages:
        canvas.setFont("Helvetica", BODY)
        page(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def read(content: bytes, folder: Path) -> Extracted:
    path = folder / "document.pdf"
    path.write_bytes(content)
    return extract(path, PDF, LIMITS)


def blocks(document: Extracted) -> list[str]:
    return [document.text[block.start : block.end] for block in document.blocks]


def in_order(text: str, words: Iterable[str]) -> bool:
    """Whether all of these stand in the text, each behind the one before."""
    place = 0
    for word in words:
        found = text.find(word, place)
        if found < 0:
            return False
        place = found + len(word)
    return True


def lines(canvas: Canvas, left: float, top: float, texts: Sequence[str], leading: float = 13) -> None:
    for number, text in enumerate(texts):
        canvas.drawString(left, top - leading * number, text)


def scan(canvas: Canvas) -> None:
    """A page that is nothing but a picture."""
    canvas.drawImage(ImageReader(Image.new("L", (200, 280), 200)), 0, 0, *A4)
