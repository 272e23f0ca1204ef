"""Build the PDF and DOCX documents of the sample handbook.

The text lives in ``texts/NAME.pdf.md`` and ``texts/NAME.docx.md``, written in a
small subset of Markdown (headings, paragraphs, lists, tables, ``**bold**``). The
results go to ``examples/handbook`` and are the same, byte for byte, on every run.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from docx import Document
from docx.document import Document as DocxDocument
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt
from docx.text.paragraph import Paragraph as DocxParagraph
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "texts"
DOCUMENTS = HERE.parent / "handbook"
COMPANY = "Osterfenn Instruments B.V."
FIXED_DATE = datetime(2025, 4, 1, 9, 0, 0, tzinfo=UTC)
ZIP_DATE = (2025, 4, 1, 9, 0, 0)
PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN = 22 * mm
BLUE = colors.HexColor("#1f4e5f")

BOLD = re.compile(r"\*\*(.+?)\*\*")
HEADING = re.compile(r"^(#{1,3}) (.+)$")
BULLET = re.compile(r"^- (.+)$")
NUMBER = re.compile(r"^\d+\. (.+)$")


@dataclass
class Block:
    """One piece of a document: a heading, a paragraph, a list or a table."""

    kind: str
    text: str = ""
    level: int = 0
    items: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def parse(source: str) -> list[Block]:
    """Split a source text into blocks; blank lines separate them."""
    chunks = re.split(r"\n\s*\n", source.strip())
    return [parse_chunk(chunk.splitlines()) for chunk in chunks]


def parse_chunk(lines: list[str]) -> Block:
    """Turn the lines between two blank lines into a block."""
    heading = HEADING.match(lines[0])
    if heading:
        return Block("heading", heading.group(2), level=len(heading.group(1)))
    if lines[0].startswith("|"):
        cells = [[c.strip() for c in line.strip("| ").split(" | ")] for line in lines]
        return Block("table", rows=[cells[0], *cells[2:]])
    for kind, pattern in (("bullets", BULLET), ("numbers", NUMBER)):
        found = [pattern.match(line) for line in lines]
        items = [match.group(1) for match in found if match]
        if len(items) == len(lines):
            return Block(kind, items=items)
    return Block("paragraph", " ".join(lines))


def title_of(blocks: list[Block]) -> str:
    """Return the text of the first heading."""
    return next(block.text for block in blocks if block.kind == "heading")


# PDF


def pdf_styles() -> dict[str, ParagraphStyle]:
    """Return the paragraph styles of the PDF documents."""
    body = ParagraphStyle("body", fontName="Helvetica", fontSize=10.5, leading=15, spaceAfter=7)
    bold = {"fontName": "Helvetica-Bold", "textColor": BLUE, "keepWithNext": 1}
    return {
        "body": body,
        "item": ParagraphStyle("item", parent=body, leftIndent=16, bulletIndent=3, spaceAfter=3),
        "cell": ParagraphStyle("cell", parent=body, fontSize=9, leading=12, spaceAfter=0),
        "head": ParagraphStyle(
            "head",
            fontName="Helvetica-Bold",
            fontSize=9,
            leading=12,
            textColor=colors.white,
        ),
        "h1": ParagraphStyle("h1", fontSize=20, leading=25, spaceAfter=10, **bold),
        "h2": ParagraphStyle("h2", fontSize=14, leading=18, spaceBefore=12, spaceAfter=6, **bold),
        "h3": ParagraphStyle("h3", fontSize=11.5, leading=15, spaceBefore=8, spaceAfter=4, **bold),
    }


def markup(text: str) -> str:
    """Escape a text for reportlab and turn ``**bold**`` into tags."""
    return BOLD.sub(r"<b>\1</b>", escape(text))


def column_widths(rows: list[list[str]], total: float) -> list[float]:
    """Share the width out by the longest cell of each column, within bounds."""
    longest = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    weights = [min(max(length, 13), 38) for length in longest]
    return [total * weight / sum(weights) for weight in weights]


def pdf_table(block: Block, styles: dict[str, ParagraphStyle]) -> Table:
    """Lay out a table whose header row is repeated on each page."""
    head, *body = block.rows
    data = [[Paragraph(markup(cell), styles["head"]) for cell in head]]
    data += [[Paragraph(markup(cell), styles["cell"]) for cell in row] for row in body]
    widths = column_widths(block.rows, PAGE_WIDTH - 2 * MARGIN)
    table = Table(data, colWidths=widths, repeatRows=1, spaceBefore=3, spaceAfter=10)
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), BLUE),
                ("ROWBACKGROUNDS", (0, 1), (-1, -1), [colors.white, colors.HexColor("#eef3f5")]),
                ("GRID", (0, 0), (-1, -1), 0.4, colors.HexColor("#9fb3bb")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 3),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            ]
        )
    )
    return table


def pdf_flowables(blocks: list[Block]) -> Iterator[Flowable]:
    """Turn blocks into the flowables of a PDF story."""
    styles = pdf_styles()
    for block in blocks:
        if block.kind == "heading":
            yield Paragraph(markup(block.text), styles[f"h{block.level}"])
        elif block.kind == "table":
            yield pdf_table(block, styles)
        elif block.kind == "paragraph":
            yield Paragraph(markup(block.text), styles["body"])
        else:
            for number, item in enumerate(block.items, start=1):
                sign = f"{number}." if block.kind == "numbers" else "\u2022"
                yield Paragraph(markup(item), styles["item"], bulletText=sign)
            yield Spacer(1, 5)


def build_pdf(blocks: list[Block], target: Path) -> None:
    """Write a PDF with a running header, a footer and page numbers."""
    title = title_of(blocks)

    def decorate(canvas: Canvas, template: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8)
        canvas.setFillColor(colors.HexColor("#5a6b72"))
        canvas.drawString(MARGIN, PAGE_HEIGHT - 14 * mm, title)
        canvas.drawRightString(PAGE_WIDTH - MARGIN, PAGE_HEIGHT - 14 * mm, COMPANY)
        canvas.line(MARGIN, PAGE_HEIGHT - 16 * mm, PAGE_WIDTH - MARGIN, PAGE_HEIGHT - 16 * mm)
        canvas.drawCentredString(PAGE_WIDTH / 2, 12 * mm, f"Page {template.page}")
        canvas.restoreState()

    template = SimpleDocTemplate(
        str(target),
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=24 * mm,
        bottomMargin=22 * mm,
        title=title,
        author=COMPANY,
        invariant=1,
    )
    template.build(list(pdf_flowables(blocks)), onFirstPage=decorate, onLaterPages=decorate)


# DOCX


def add_runs(paragraph: DocxParagraph, text: str) -> None:
    """Add a text to a paragraph; every second part of the split is bold."""
    for index, part in enumerate(BOLD.split(text)):
        if part:
            paragraph.add_run(part).bold = bool(index % 2)


def docx_table(document: DocxDocument, rows: list[list[str]]) -> None:
    """Add a table with a bold header row that is repeated on each page."""
    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    table.style = "Table Grid"
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            add_runs(cell.paragraphs[0], text)
    for cell in table.rows[0].cells:
        for run in cell.paragraphs[0].runs:
            run.bold = True
    first_row = document.element.body.tbl_lst[-1].tr_lst[0]
    first_row.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    document.add_paragraph()


def add_page_number(paragraph: DocxParagraph) -> None:
    """Add a field that shows the number of the page."""
    paragraph.add_run(f"{COMPANY}, page ")
    paragraph.add_run()
    run = list(paragraph.part.element.iter(qn("w:r")))[-1]
    for kind in ("begin", "", "end"):
        element = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            element.set(qn("w:fldCharType"), kind)
        else:
            element.text = "PAGE"
        run.append(element)


def build_docx(blocks: list[Block], target: Path) -> None:
    """Write a DOCX with heading styles, real tables, a header and a footer."""
    document = Document()
    document.styles["Normal"].font.name = "Calibri"
    document.styles["Normal"].font.size = Pt(11)
    properties = document.core_properties
    properties.title, properties.author = title_of(blocks), COMPANY
    properties.created = properties.modified = FIXED_DATE
    properties.comments, properties.last_modified_by = "", COMPANY
    document.sections[0].header.paragraphs[0].text = title_of(blocks)
    add_page_number(document.sections[0].footer.paragraphs[0])
    lists = {"bullets": "List Bullet", "numbers": "List Number"}
    for block in blocks:
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "table":
            docx_table(document, block.rows)
        elif block.kind == "paragraph":
            add_runs(document.add_paragraph(), block.text)
        else:
            for item in block.items:
                add_runs(document.add_paragraph(style=lists[block.kind]), item)
    buffer = io.BytesIO()
    document.save(buffer)
    target.write_bytes(with_fixed_dates(buffer.getvalue()))


def with_fixed_dates(archive: bytes) -> bytes:
    """Pack a ZIP archive again with the same date on every entry."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, date_time=ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            new.writestr(entry, old.read(name))
    return result.getvalue()


def main() -> None:
    """Build every document that has a source."""
    DOCUMENTS.mkdir(exist_ok=True)
    builders = {".pdf": build_pdf, ".docx": build_docx}
    for source in sorted(SOURCES.glob("*.md")):
        target = DOCUMENTS / source.stem
        builders[target.suffix](parse(source.read_text(encoding="utf-8")), target)
        print(target.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
