from __future__ import annotations

import io
from datetime import date, time

from libs.extraction.tests.cases import failure, laughing, outline, part, read, repacked
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference

from extraction.formats.catalog import XLSX
from extraction.model.limits import Limits
from extraction.office.number_formats import EPOCH_1904, shown


def saved(made: Workbook) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_sheets_are_headings_and_blank_rows_part_tables() -> None:
    made = Workbook()
    sheet = made.active
    sheet.title = "Prices"
    for row in (["Price list"], ["Item", "Price", "Since"], ["Plover", 1249.5, date(2024, 3, 1)], [], ["a", "b"]):
        sheet.append(row)
    sheet["B3"].number_format = "#,##0.00 [$€-407]"
    hidden = made.create_sheet("Hidden")
    hidden.append(["not shown"])
    hidden.sheet_state = "hidden"
    second = made.create_sheet("Totals")
    second["C3"], second["D3"], second["C4"], second["D4"] = "Sum", "=1+1", True, "x\ny"
    document = read(saved(made), XLSX)
    assert outline(document) == [
        ("heading", "Prices"),
        ("paragraph", "Price list"),
        ("table", "Item | Price | Since\nPlover | 1,249.50 € | 2024-03-01"),
        ("table", "a | b"),
        ("heading", "Totals"),
        ("table", "Sum | =1+1\nTRUE | x y"),
    ]
    assert document.title is None


def test_a_chart_is_a_table_behind_the_rows_of_its_sheet() -> None:
    made = Workbook()
    for row in (["Year", "Ducks"], [2023, 5], [2024, 8]):
        made.active.append(row)
    chart = BarChart()
    chart.title = "Ducks by year"
    chart.add_data(Reference(made.active, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    made.active.add_chart(chart, "E5")
    assert ("paragraph", "Ducks by year") in outline(read(saved(made), XLSX))


def test_dates_count_from_the_epoch_that_the_workbook_names() -> None:
    assert shown("0", "yyyy-mm-dd", EPOCH_1904) == "1904-01-01"
    made = Workbook()
    made.epoch = EPOCH_1904
    made.active.append([date(2024, 3, 1), time(8, 15)])
    made.active["B1"].number_format = "h:mm"
    assert read(saved(made), XLSX).text.endswith("2024-03-01 | 8:15")


def test_large_and_hostile_workbooks_fail_with_their_own_code() -> None:
    made = Workbook()
    for number in range(300):
        made.active.append([f"word {number}"] * 3)
    package = saved(made)
    assert failure(package, XLSX, Limits(10, 1000)).code == "too_large"
    sheet = "xl/worksheets/sheet1.xml"
    declared = '<?xml version="1.0"?>' + part(package, sheet)
    assert failure(repacked(package, {sheet: laughing(declared, "<v>")}), XLSX).code == "malformed"
    book = "xl/workbook.xml"
    declared = '<?xml version="1.0"?>' + part(package, book)
    assert failure(repacked(package, {book: laughing(declared, "<sheets>")}), XLSX).code == "malformed"
    assert failure(repacked(package, {sheet: part(package, sheet)[:-900]}), XLSX).code == "malformed"
