"""What was filled into a PDF: its form fields' names and values, and text boxes laid over a page.

PDFium's text of a page has neither, because they are annotations that are drawn on top of it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pypdfium2 import PdfDocument, PdfPage, raw

MOST_ANNOTATIONS = 2000
"""Annotations of a page that are looked at."""
_UNSEEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_WITHOUT_TEXT = (raw.FPDF_FORMFIELD_UNKNOWN, raw.FPDF_FORMFIELD_PUSHBUTTON)


class Forms:
    """The form of one document, if it has any. Make it before the first page is opened."""

    def __init__(self, document: PdfDocument) -> None:
        document.init_forms()
        self._form = document.formenv

    def entries(self, page: PdfPage) -> list[str]:
        """A page's fields as `name: value` with the label that a reader is shown, then its text boxes' texts.

        A field that stands in several places, such as a choice of one, comes once; an empty one has no value.
        """
        entries: dict[str, None] = {}
        for number in range(min(raw.FPDFPage_GetAnnotCount(page), MOST_ANNOTATIONS)):
            with _annotation(page, number) as annotation:
                if annotation and not raw.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
                    entry = self._entry(annotation)
                    if entry:
                        entries[entry] = None
        return list(entries)

    def _entry(self, annotation: Any) -> str:
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        if kind == raw.FPDF_ANNOT_FREETEXT:
            return _string(lambda room, size: raw.FPDFAnnot_GetStringValue(annotation, b"Contents", room, size))
        if kind != raw.FPDF_ANNOT_WIDGET or not self._form:
            return ""
        if raw.FPDFAnnot_GetFormFieldType(self._form, annotation) in _WITHOUT_TEXT:
            return ""
        name = self._string_of(raw.FPDFAnnot_GetFormFieldName, annotation)
        label = self._string_of(raw.FPDFAnnot_GetFormFieldAlternateName, annotation)
        value = self._string_of(raw.FPDFAnnot_GetFormFieldValue, annotation)
        title = f"{label} ({name})" if label and name and label != name else label or name
        return f"{title}: {value}".strip(": ") if title else value

    def _string_of(self, question: Callable[..., int], annotation: Any) -> str:
        return _string(lambda room, size: question(self._form, annotation, room, size))


@contextmanager
def _annotation(page: PdfPage, number: int) -> Iterator[Any]:
    annotation = raw.FPDFPage_GetAnnot(page, number)
    try:
        yield annotation
    finally:
        if annotation:
            raw.FPDFPage_CloseAnnot(annotation)


def _string(ask: Callable[[Any, int], int]) -> str:
    """What PDFium answers in UTF-16: first how many bytes it needs, with their end, then the bytes. On one line."""
    size = ask(None, 0)
    if size <= 2:
        return ""
    room = (ctypes.c_ushort * (size // 2))()
    ask(room, size)
    return " ".join(bytes(room).decode("utf-16-le", "replace").rstrip("\0").split())
