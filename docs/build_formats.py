"""Writes docs/formats.md from the catalog of formats, so that a new format stands on the page by itself.

Usage: python docs/build_formats.py [--check]
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from extraction.formats.catalog import FORMATS
from extraction.formats.format import Format

PAGE = Path(__file__).parent / "formats.md"
INTRODUCTION = """# Formats of documents

Generated from the catalog of formats by `make docs`; do not edit. To add one, see [where to add what](extending.md).

What a document is is told by its bytes first, then by its name, then by the Content-Type that came with it.

| format | media type | files |
| --- | --- | --- |
"""


def row(each: Format) -> str:
    """A format's line; of very many suffixes the first."""
    files = [f"`.{suffix}`" for suffix in each.suffixes.split()] + [f"`{name}`" for name in each.names.split()]
    shown = textwrap.shorten(" ".join(files), 130, placeholder=" …")
    return f"| {each.label} | `{each.media_type}` | {shown} |"


def main() -> int:
    """Write the page, or with `--check` say whether it is as it would be written."""
    page = INTRODUCTION + "\n".join(map(row, FORMATS)) + "\n"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page:
        return 0
    print(f"{PAGE} is out of date; run `make docs`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
