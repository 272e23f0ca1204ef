from __future__ import annotations

import io

from docx import Document
from docx.document import Document as Made
from docx.oxml import parse_xml
from libs.extraction.tests.cases import read

from extraction.formats.catalog import DOCX


def saved(made: Made) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_equations_stand_on_their_line() -> None:
    made = Document()
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    made.add_paragraph("Area: ")._p.append(
        parse_xml(
            f"<m:oMath {math}><m:r><m:t>A=</m:t></m:r><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r>"
            "<m:t>2</m:t></m:r></m:den></m:f><m:sSup><m:e><m:r><m:t>r</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r>"
            "</m:sup></m:sSup><m:rad><m:e><m:r><m:t>x</m:t></m:r></m:e></m:rad></m:oMath>"
        )
    )
    assert read(saved(made), DOCX).text == "Area: A=(a+b)/2r^2√(x)"
