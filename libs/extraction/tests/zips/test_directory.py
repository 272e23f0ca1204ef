from __future__ import annotations

import io

from openpyxl import Workbook

from extraction.formats.catalog import PPTX, XLSX
from extraction.formats.detection import HEAD, Received, detect


def told(content: bytes, filename: str = "", declared: str = "") -> str:
    return detect(Received(content[:HEAD], content[-HEAD:], b"\0" in content, filename, declared))


def office(made: object) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def test_a_truncated_package_is_left_to_the_parser_of_what_it_claims_to_be() -> None:
    assert told(office(Workbook())[:2000], "cut.xlsx") == XLSX
    assert told(b"no zip at all", "cut.pptx") == PPTX
