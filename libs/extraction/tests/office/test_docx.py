from __future__ import annotations

import io

from docx import Document
from docx import Document as DocxDocument
from docx.document import Document as Made
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from libs.extraction.tests.cases import outline, part, read, repacked

from extraction.formats.catalog import DOCX

NUMBERING = f"""<w:abstractNum {nsdecls("w")} w:abstractNumId="90"><w:lvl w:ilvl="0"><w:start w:val="1"/>
<w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/>
<w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>"""


BOX = f"""<w:r {nsdecls("w")} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:AlternateContent>
<mc:Choice><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></mc:Choice>
<mc:Fallback><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></mc:Fallback>
</mc:AlternateContent></w:r>"""


def saved(made: Made) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_numbers_that_word_only_shows_are_part_of_the_text() -> None:
    made = Document()
    numbering = made.part.numbering_part.element
    numbering.insert(0, parse_xml(NUMBERING))
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="90"><w:abstractNumId w:val="90"/></w:num>'))
    for text, level in (("Scope", 0), ("first", 1), ("second", 1), ("Terms", 0), ("again", 1)):
        properties = made.add_paragraph(text)._p.get_or_add_pPr()
        properties.append(
            parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="90"/></w:numPr>')
        )
    heading = made.add_heading("Numbered", 2)._p.get_or_add_pPr()
    heading.append(parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="0"/><w:numId w:val="90"/></w:numPr>'))
    assert outline(read(saved(made), DOCX)) == [
        ("list", "1. Scope\n  1.a) first\n  1.b) second\n2. Terms\n  2.a) again"),
        ("heading", "3. Numbered"),
    ]


def test_boxes_insertions_and_controls_are_read_once_and_deletions_not_at_all() -> None:
    made = Document()
    paragraph = made.add_paragraph("Before ")._p
    word = nsdecls("w")
    paragraph.append(parse_xml(f"<w:ins {word}><w:r><w:t>inserted</w:t></w:r></w:ins>"))
    paragraph.append(parse_xml(f"<w:del {word}><w:r><w:delText>deleted</w:delText></w:r></w:del>"))
    paragraph.append(parse_xml(BOX))
    made.element.body.insert(
        1,
        parse_xml(f"<w:sdt {word}><w:sdtContent><w:p><w:r><w:t>controlled</w:t></w:r></w:p></w:sdtContent></w:sdt>"),
    )
    assert outline(read(saved(made), DOCX)) == [
        ("paragraph", "Before inserted"),
        ("paragraph", "In a box"),
        ("paragraph", "controlled"),
    ]


def test_a_cell_over_several_rows_stands_in_each_and_a_frame_is_no_table() -> None:
    made = Document()
    table = made.add_table(rows=3, cols=2)
    for row, cells in enumerate((("Region", "City"), ("North", "Oslo"), ("", "Bergen"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    frame = made.add_table(rows=1, cols=1)
    frame.cell(0, 0).text = "Framed"
    document = read(saved(made), DOCX)
    assert outline(document) == [
        ("table", "Region | City\nNorth | Oslo\nNorth | Bergen"),
        ("paragraph", "Framed"),
    ]


def test_notes_stand_behind_the_paragraph_that_refers_to_them() -> None:
    made = Document()
    made.add_paragraph("Claimed")._p.append(parse_xml(f'<w:r {nsdecls("w")}><w:footnoteReference w:id="2"/></w:r>'))
    made.add_paragraph("After")
    notes = f'<w:footnotes {nsdecls("w")}><w:footnote w:id="2"><w:p><w:r><w:t>The proof</w:t></w:r></w:p></w:footnote>'
    package = saved(made)
    rels = part(package, "word/_rels/document.xml.rels")
    link = f'<Relationship Id="n1" Type="{qn("r:id")[1:].partition("}")[0]}/footnotes" Target="footnotes.xml"/>'
    package = repacked(
        package,
        {
            "word/footnotes.xml": f"{notes}</w:footnotes>",
            "word/_rels/document.xml.rels": rels.replace("</Relationships>", f"{link}</Relationships>"),
        },
    )
    assert read(package, DOCX).text == "Claimed\n\nThe proof\n\nAfter"


def test_docx_keeps_order_headings_lists_and_tables() -> None:
    made = DocxDocument()
    made.add_heading("Expenses", 0)
    made.add_paragraph("Who pays what.")
    made.add_heading("Limits", 1)
    made.add_paragraph("hotel", style="List Bullet")
    made.add_paragraph("train", style="List Bullet")
    table = made.add_table(rows=2, cols=3)
    for row, cells in enumerate((("Country", "Limit", "Note"), ("Spain", "EUR 150", "a night"))):
        for column, cell in enumerate(cells):
            table.cell(row, column).text = cell
    table.cell(1, 1).merge(table.cell(1, 2))
    made.add_paragraph("The end.")
    buffer = io.BytesIO()
    made.save(buffer)
    document = read(buffer.getvalue(), DOCX)
    assert document.title == "Expenses"
    assert outline(document) == [
        ("heading", "Expenses"),
        ("paragraph", "Who pays what."),
        ("heading", "Limits"),
        ("list", "- hotel\n- train"),
        ("table", "Country | Limit | Note\nSpain | EUR 150 a night"),
        ("paragraph", "The end."),
    ]


def test_a_repeated_heading_row_is_the_header_of_its_table() -> None:
    made = Document()
    table = made.add_table(rows=2, cols=2)
    for row, texts in zip(table.rows, (("Who", "Gets"), ("All", "Gym")), strict=True):
        row.cells[0].text, row.cells[1].text = texts
    assert read(saved(made), DOCX).text == "Who | Gets\nAll | Gym"
    table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))
    assert read(saved(made), DOCX).text == "Who | Gets\n-|-\nAll | Gym"
