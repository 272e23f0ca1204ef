"""Plain text: paragraphs are what blank lines part; a line that is underlined or all in capitals is a heading."""

from __future__ import annotations

import re

from extraction.model.document import Builder, Extracted, clean
from extraction.text.text_file import text_file

_BLANK = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_UNDERLINED = re.compile(r"(?P<title>[^\n]{1,100})\n(?P<line>={3,}|-{3,})[ \t]*(?:\n|\Z)")
_CAPITALS = re.compile(r"[^a-z\n]{4,80}")
LEVEL_OF_CAPITALS = 2


def parse(text: str) -> Extracted:
    """The text as it is, but for line ends, control characters, underlines and more than one blank line."""
    builder = Builder()
    for paragraph in _BLANK.split(clean(text)):
        _paragraph(builder, paragraph.strip("\n"))
    return builder.finish()


read = text_file(parse)


def _paragraph(builder: Builder, paragraph: str) -> None:
    underlined = _UNDERLINED.match(paragraph)
    if underlined and any(character.isalpha() for character in underlined["title"]):
        builder.heading(underlined["title"], 1 if underlined["line"][0] == "=" else 2)
        paragraph = paragraph[underlined.end() :]
    elif _CAPITALS.fullmatch(paragraph) and sum(character.isupper() for character in paragraph) >= 4:
        builder.heading(paragraph, LEVEL_OF_CAPITALS)
        return
    builder.block("paragraph", paragraph)
