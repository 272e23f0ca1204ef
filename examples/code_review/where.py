"""Where in the code is …? The places that a search finds, by file and line.

Usage: python -m examples.code_review.where COLLECTION "QUESTION"
"""

from __future__ import annotations

import sys

from examples.code_review.source import Sources
from examples.connection import run
from groundwork.client import Groundwork

PLACES = 5
SHOWN = 4
"""Lines of each place."""


def main(client: Groundwork, collection: str, question: str) -> None:
    """Print the places, the likeliest first."""
    sources = Sources(client, collection)
    hits = client.search(collection, question, limit=PLACES).hits
    for hit in hits:
        source = sources.of(hit)
        first, last = source.line_at(hit.start), source.line_at(hit.end - 1)
        print(f"{source.path}:{first}-{last}")
        print(*(f"    {line}" for line in source.lines[first - 1 : min(last, first - 1 + SHOWN)]), sep="\n")
    if not hits:
        print(f"Nothing in '{collection}' is like that.")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    run(lambda client: main(client, *sys.argv[1:]))
