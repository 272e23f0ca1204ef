from __future__ import annotations

import io

from docx import Document
from docx.document import Document as Made
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from libs.extraction.tests.cases import read

from extraction.formats.catalog import DOCX


def saved(made: Made) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_a_style_is_a_heading_by_what_it_is_based_on_or_by_its_outline_level() -> None:
    made = Document()
    own = made.styles.add_style("Chapter", 1)
    own.base_style = made.styles["Heading 2"]
    made.add_paragraph("By its base", style="Chapter")
    levelled = made.add_paragraph("By its level")._p.get_or_add_pPr()
    levelled.append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="2"/>'))
    assert [(block.kind, block.level) for block in read(saved(made), DOCX).blocks] == [("heading", 2), ("heading", 3)]
