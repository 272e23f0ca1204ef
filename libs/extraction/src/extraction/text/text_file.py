"""Parsers of formats that are text: a file's bytes become text by their charset, and the text is read at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from extraction.model.document import Extracted
from extraction.model.failures import too_large
from extraction.model.limits import Limits
from extraction.model.parser import Parser, whole_file
from extraction.text.charsets import decode

MOST_WHITE_SPACE = 2
"""Of a file without markup less than half is white space that a parser leaves out."""


def text_file(parse: Callable[[str], Extracted], *, html: bool = False) -> Parser:
    """A parser of texts; `html` may name its own charset, and is mostly markup."""

    def read(path: Path, limits: Limits) -> Extracted:
        text = decode(path.read_bytes(), html=html)
        if not html and len(text) > MOST_WHITE_SPACE * limits.max_text_chars:
            raise too_large()  # before minutes are spent on it
        return parse(text)

    return whole_file(read)
