"""The context header that is embedded before a chunk: the document's title and the headings it stands under."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.chunking.tokens import Tokens

SEPARATOR = " > "
SHARE = 4
"""A header takes at most one part in this many of what the model reads."""


def header(tokens: Tokens, title: str, path: Sequence[str], limit: int, row: str = "") -> str:
    """Title and path (nearest headings kept when they don't all fit in `limit` tokens), then a table's first row."""
    names = [title, *path] if title and (not path or path[0] != title) else list(path)
    line = SEPARATOR.join(names)
    while len(names) > 1 and _size(tokens, line) > limit:
        names.pop(0 if len(names) > 2 else 1)
        line = SEPARATOR.join(names)
    line = tokens.head(line, limit)
    with_row = f"{line}\n{row}" if line else row
    return with_row if row and _size(tokens, with_row) <= limit else line


def _size(tokens: Tokens, text: str) -> int:
    return tokens.lengths([text])[0] - tokens.special
