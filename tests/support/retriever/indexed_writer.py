"""A process that writes to an embedded store which builds its index again and again, until it is killed.

`python -m tests.support.retriever.indexed_writer FOLDER FIRST` writes batch FIRST, FIRST + 1, ...: batch n holds the
points n * BATCH to (n + 1) * BATCH - 1. With each batch the first point of the one before is deleted. It prints the
number of a batch once both are acknowledged; whatever is logged goes to stderr.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import structlog

from retriever.stores import filters
from retriever.stores.edge.index_builds import BuildRules
from retriever.stores.edge.store import EdgeStore
from retriever.stores.points import Point
from retriever.text.bm25 import SparseVector

DIMENSIONS = 24
BATCH = 20
PAUSE_SECONDS = 0.01
"""After each batch: a store in memory takes thousands of points a second, and an index of as many takes minutes."""
RULES = BuildRules(points=100, share=0.1)


def vector_of(number: int, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit vector of its own for each number."""
    chance = random.Random(number)
    values = [chance.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in values) ** 0.5
    return [value / length for value in values]


def point_of(number: int, version: int = 0, dimensions: int = DIMENSIONS) -> Point:
    """The point of a number, alone in its document."""
    payload = {
        "document_id": f"d{number}",
        "revision": 1,
        "ordinal": number,
        "text": f"text {number} {version}",
        "hash": f"h{number}",
        "tags": [f"metadata.of{every}={number % every}" for every in (10, 100)],
    }
    words = SparseVector([1 + number % 5, 10 + number % 50], [1.0, 2.0])
    return Point(str(uuid5(NAMESPACE_URL, str(number))), vector_of(number, dimensions), words, payload)


async def _main(folder: Path, first: int) -> None:
    store = EdgeStore(folder, rules=RULES)
    await store.create_generation("g", DIMENSIONS)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    number = first
    while True:
        await store.upsert_points("g", [point_of(each) for each in range(number * BATCH, (number + 1) * BATCH)])
        if number:
            await store.delete_points("g", filters.document(f"d{(number - 1) * BATCH}"))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
