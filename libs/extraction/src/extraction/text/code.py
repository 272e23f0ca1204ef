"""Source code: blocks as they are parted by blank lines, each beginning at the left margin."""

from __future__ import annotations

import re

from extraction.model.document import Builder, Extracted, clean
from extraction.text.text_file import text_file

_PARTING = re.compile(r"(?<!\n)\n\n+(?=[^\s)\]}])")
"""Blank lines before a line that is not indented and closes nothing: what stands between definitions."""
SMALL = 200
"""Characters below which a block takes the next one up: imports, constants, a comment and what it is about."""


def parse(text: str) -> Extracted:
    """The text as it is, indentation included, but for line ends and more than one blank line between blocks."""
    builder = Builder()
    run = ""
    for piece in _PARTING.split(clean(text).strip("\n")):
        if run and len(run) + len(piece) > SMALL:
            builder.block("code", run)
            run = ""
        run = f"{run}\n\n{piece}" if run else piece
    builder.block("code", run)
    return builder.finish()


read = text_file(parse)
