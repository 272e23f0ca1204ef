"""PDFs for tests, drawn from known text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import SimpleDocTemplate

from extraction.formats.catalog import PDF
from extraction.formats.reader import extract
from extraction.model.document import Extracted
from extraction.model.limits import Limits

LIMITS = Limits(max_pages=2000, max_text_chars=1_000_000)
Drawing = Callable[[Canvas], None]
BODY = 10
STYLES = getSampleStyleSheet()


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


def typeset(*content: object, **options: object) -> bytes:
    """A PDF of these paragraphs and tables."""
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4, **options).build(list(content))
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


def draw(canvas: Canvas, species: str, number: int) -> None:
    """A page of a species: a scan, prose, with a heading, with a parted word, blank."""
    if species == "scan":
        scan(canvas)
        return
    if "heading" in species:
        canvas.setFont("Helvetica-Bold", 20 if species == "heading" else 14)
        canvas.drawString(60, 780, f"Chapter {number}")
        canvas.setFont("Helvetica", 10)
    if species == "parted":
        lines(canvas, 60, 740, [f"On page {number} stands an exam-", "ple of a word."])
    elif species != "blank":
        lines(canvas, 60, 740, [f"What is written on page {number} in line {line}." for line in range(5)])


def file_of(*objects: bytes) -> bytes:
    """A file of these objects, the first of them the catalog."""
    body, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    return body + head + end


def page_of(content: bytes, box: bytes = b"[0 0 595 842]", more: bytes = b"", letters: str = "") -> bytes:
    """A page with this content; the codes from 65 on mean `letters`, in a font that else has the usual ones."""
    meant = b"".join(
        b"<%02x> <%s>\n" % (code, letter.encode("utf-16-be").hex().encode()) for code, letter in enumerate(letters, 65)
    )
    table = b"/CMapType 2 def 1 begincodespacerange <00> <FF> endcodespacerange %d beginbfchar\n%sendbfchar" % (
        len(letters),
        meant,
    )
    return file_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox%s/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>%s>>" % (box, more),
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%s>>" % (b"/ToUnicode 6 0 R" if letters else b""),
        b"<</Length %d>>stream\n%s\nendstream" % (len(table), table),
    )
