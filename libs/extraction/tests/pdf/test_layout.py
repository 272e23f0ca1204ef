from __future__ import annotations

from libs.extraction.tests.cases import outline, read
from libs.extraction.tests.pdf_pages import STYLES, typeset
from reportlab.platypus import PageBreak, Paragraph, Table

from extraction.formats.catalog import PDF


def test_pdf_keeps_table_rows_on_a_line_joins_wrapped_prose_and_knows_its_pages() -> None:
    prose = "Customers may return what they bought within thirty days of its delivery. " * 4
    table = Table([["Product", "Price"], ["Plover", "EUR 249"], ["Heron", "EUR 99"]], colWidths=[200, 100])
    document = read(typeset(Paragraph(prose, STYLES["Normal"]), PageBreak(), table, title="Price list"), PDF)
    assert document.pages == 2
    assert document.title == "Price list"
    assert outline(document) == [
        ("paragraph", prose.strip()),
        ("table", "Product | Price\nPlover | EUR 249\nHeron | EUR 99"),
    ]
    assert [block.page for block in document.blocks] == [1, 2]
