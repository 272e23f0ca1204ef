from __future__ import annotations

import io

from libs.extraction.tests.cases import failure, laughing, outline, part, read, repacked
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.presentation import Presentation as Made
from pptx.util import Inches

from extraction.formats.catalog import PPTX
from extraction.model.limits import Limits

BOX = (Inches(1), Inches(1), Inches(4), Inches(2))


def saved(made: Made) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def slides() -> bytes:
    made = Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.shapes.title.text = "Plans"
    body = first.placeholders[1].text_frame
    body.text = "Grow"
    inner = body.add_paragraph()
    inner.text, inner.level = "slowly", 1
    first.notes_slide.notes_text_frame.text = "Say it twice."
    second = made.slides.add_slide(made.slide_layouts[6])
    second.shapes.add_textbox(*BOX).text_frame.text = "No title here"
    table = second.shapes.add_table(3, 2, *BOX).table
    for row, cells in enumerate((("Year", "Sales"), ("2024", "12"), ("", "13"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(*BOX).text_frame.text = "In a group"
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("Share", (0.25, 0.75))
    second.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, *BOX, data)
    return saved(made)


def test_a_slide_is_a_page_with_its_title_tables_charts_groups_and_notes() -> None:
    document = read(slides(), PPTX)
    assert document.pages == 2
    assert document.title == "Plans"
    assert outline(document) == [
        ("heading", "Plans"),
        ("list", "- Grow\n  - slowly"),
        ("paragraph", "Say it twice."),
        ("paragraph", "No title here"),
        ("table", "Year | Sales\n-|-\n2024 | 12\n2024 | 13"),
        ("paragraph", "In a group"),
        ("table", " | Share\n-|-\nNorth | 0.25\nSouth | 0.75"),
    ]
    assert [block.page for block in document.blocks] == [1, 1, 1, 2, 2, 2, 2]
    assert {block.heading_path for block in document.blocks if block.page == 2} == {()}


def test_slides_are_bounded_and_hostile_xml_is_refused() -> None:
    package = slides()
    assert failure(package, PPTX, Limits(1, 1000)).code == "too_many_pages"
    name = "ppt/slides/slide1.xml"
    assert failure(repacked(package, {name: laughing(part(package, name), "<a:t>")}), PPTX).code == "malformed"
    assert failure(repacked(package, {name: "<p:sld"}), PPTX).code == "malformed"
    assert failure(saved(Presentation()), PPTX).code == "no_text"
