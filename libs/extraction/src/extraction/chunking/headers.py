"""The context header that is embedded before a chunk: the document's title and the headings it stands under."""

from __future__ import annotations

from collections.abc import Sequence

from extraction.chunking.tokens import CHARS_PER_TOKEN, Tokens

SEPARATOR = " > "
SHARE = 4
"""A header takes at most one part in this many of what the model reads."""


def header(tokens: Tokens, title: str, path: Sequence[str], limit: int) -> str:
    """Title and path, as far as `limit` tokens hold them: the title and the nearest headings are kept."""
    names = [title, *path] if title and (not path or path[0] != title) else list(path)
    line = SEPARATOR.join(names)
    while len(names) > 1 and not fits(tokens, line, limit):
        names.pop(0 if len(names) > 2 else 1)
        line = SEPARATOR.join(names)
    return tokens.head(line[: most_chars(limit)], limit)


def with_row(tokens: Tokens, line: str, row: str, limit: int) -> str:
    """A header that repeats a table's first row, where `limit` tokens hold all of it; else the header alone."""
    both = f"{line}\n{row}" if line else row
    return both if row and fits(tokens, both, limit) else line


def fits(tokens: Tokens, text: str, limit: int) -> bool:
    """Whether `limit` tokens hold a text. One of far too many characters is not even tokenized."""
    return len(text) <= most_chars(limit) and tokens.lengths([text])[0] - tokens.special <= limit


def most_chars(limit: int) -> int:
    """The most characters that a header of so many tokens has: some tokenizers make one token of a long word."""
    return limit * CHARS_PER_TOKEN
