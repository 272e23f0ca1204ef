from __future__ import annotations

import io

from libs.extraction.tests.cases import outline, read
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference

from extraction.formats.catalog import XLSX


def saved(made: Workbook) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_a_chart_is_a_table_behind_the_rows_of_its_sheet() -> None:
    made = Workbook()
    for row in (["Year", "Ducks"], [2023, 5], [2024, 8]):
        made.active.append(row)
    chart = BarChart()
    chart.title = "Ducks by year"
    chart.add_data(Reference(made.active, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    made.active.add_chart(chart, "E5")
    assert ("paragraph", "Ducks by year") in outline(read(saved(made), XLSX))
