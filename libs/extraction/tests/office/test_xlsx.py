from __future__ import annotations

import io
from datetime import date, time

import pytest
from libs.extraction.tests.cases import failure, laughing, outline, part, read, repacked
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference

from contracts.formats import XLSX
from extraction.formats.registry import Limits
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


@pytest.mark.parametrize(
    ("stored", "code", "text"),
    [
        ("0.256", "0%", "26%"),
        ("1234567.891", "#,##0.00", "1,234,567.89"),
        ("-5", "#,##0;(#,##0)", "(5)"),
        ("-5.5", '"EUR "0.00', "-EUR 5.50"),
        ("0", '0;-0;"none"', "none"),
        ("1500000", '0.0,,"M"', "1.5M"),
        ("0.30000000000000004", "General", "0.3"),
        ("12345678901234567890", "General", "12345678901234600000"),
        ("12345", "0.00E+00", "1.23E+4"),
        ("7", "000", "007"),
        ("0.5", "#.##", ".5"),
        ("45352", "d mmmm yyyy", "1 March 2024"),
        ("45352.75", "yyyy-mm-dd h:mm", "2024-03-01 18:00"),
        ("45352.75", "h:mm AM/PM", "6:00 PM"),
        ("1.5", "[h]:mm", "36:00"),
        ("0.0006944444", "mm:ss", "01:00"),
        ("0.000011574", "ss.000", "01.000"),
        ("45352", "ddd, d/m/yy", "Fri, 1/3/24"),
        ("99999999999", "yyyy", "99999999999"),
        ("words", "0.00", "words"),
        ("5", "@", "5"),
        ("5", '"only words"', "only words"),
    ],
)
def test_numbers_are_shown_as_their_format_says(stored: str, code: str, text: str) -> None:
    assert shown(stored, code) == text


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
