"""What a parser is: one signature for all formats, and a parser made of a function that reads a file at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol

from extraction.model.document import START, Extracted, Resume
from extraction.model.limits import Limits
from extraction.model.parts import split


class Parser(Protocol):
    """Reads documents of one format."""

    def __call__(self, path: Path, limits: Limits, resume: Resume = START) -> Iterator[Extracted]:
        """A file part by part, from where `resume` says; raises `ParseFailed`, also between parts."""
        ...


def whole_file(parse: Callable[[Path, Limits], Extracted]) -> Parser:
    """A parser that reads a file at once and parts it then."""

    def read(path: Path, limits: Limits, resume: Resume = START) -> Iterator[Extracted]:
        return islice(split(parse(path, limits)), resume.parts, None)

    return read
