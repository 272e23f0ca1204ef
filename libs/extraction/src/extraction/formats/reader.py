"""Reading a file by its media type; its parser is imported only then."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import cast

from extraction.formats.catalog import FORMATS
from extraction.model.document import START, Extracted, Resume
from extraction.model.failures import ParseFailed, no_text, too_large
from extraction.model.limits import Limits
from extraction.model.parser import Parser
from extraction.model.parts import joined


def parts(path: Path, media_type: str, limits: Limits, resume: Resume = START) -> Iterator[Extracted]:
    """A file's text and structure, part by part, from where `resume` says; raises `ParseFailed`, also between parts."""
    length, found = resume.chars, resume.chars > 0
    for part in _parser(media_type)(path, limits, resume):
        length += len(part.text)
        if length > limits.max_text_chars:
            raise too_large()
        found = found or bool(part.text.strip())
        yield part
    if not found:
        raise no_text()


def extract(path: Path, media_type: str, limits: Limits) -> Extracted:
    """The text and structure of a whole file; raises `ParseFailed`."""
    return joined(parts(path, media_type, limits))


def _parser(media_type: str) -> Parser:
    format_ = FORMATS.get(media_type)
    if format_ is None:
        raise ParseFailed("unsupported", f"Documents of type {media_type} can't be read.")
    return cast("Parser", import_module(format_.parser).read)
