"""Plain text: paragraphs are what blank lines part."""

from __future__ import annotations

import re

from ingest.parsing.structure import Builder, Extracted, clean

_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def parse(text: str) -> Extracted:
    """The text as it is, but for line ends, control characters and more than one blank line."""
    builder = Builder()
    for paragraph in _BLANK.split(clean(text)):
        builder.block("paragraph", paragraph)
    return builder.finish()
