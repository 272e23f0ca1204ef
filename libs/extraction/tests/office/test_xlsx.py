from __future__ import annotations

import io
from datetime import date

from libs.extraction.tests.cases import failure, laughing, outline, part, read, repacked
from openpyxl import Workbook

from extraction.formats.catalog import XLSX
from extraction.model.limits import Limits


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
