from __future__ import annotations

import io
from datetime import date, time

from libs.extraction.tests.cases import read
from openpyxl import Workbook

from extraction.formats.catalog import XLSX
from extraction.office.number_formats import EPOCH_1904, shown


def saved(made: Workbook) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_dates_count_from_the_epoch_that_the_workbook_names() -> None:
    assert shown("0", "yyyy-mm-dd", EPOCH_1904) == "1904-01-01"
    made = Workbook()
    made.epoch = EPOCH_1904
    made.active.append([date(2024, 3, 1), time(8, 15)])
    made.active["B1"].number_format = "h:mm"
    assert read(saved(made), XLSX).text.endswith("2024-03-01 | 8:15")
