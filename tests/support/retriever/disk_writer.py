"""`python -m tests.support.retriever.disk_writer FOLDER RESERVE STEP…`: uses an embedded store on a disk that fills up.

Steps: `write` until there is no room, `again` (one batch more), `search`, `fill` the disk, `empty` it again. After each
it prints its name and how many points are acknowledged or found. A store that is killed prints no more.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from tests.support.home.small_disk import SmallDisk
from tests.support.retriever.indexed_writer import DIMENSIONS, point_of

from retriever.stores import filters
from retriever.stores.edge.index_builds import BuildRules
from retriever.stores.edge.store import EdgeStore
from retriever.stores.points import Point
from servicekit.core.errors import DiskFull

ALL = filters.Where(must=(filters.Within(("ordinal",), gte=0),))
BATCH = 250
TEXT = "many words " * 700


def _point(number: int) -> Point:
    point = point_of(number)
    return replace(point, payload={**point.payload, "text": TEXT})


async def _write(store: EdgeStore, first: int, most: int) -> int:
    """Points written from `first` on, until the disk is full."""
    for at in range(first, first + most, BATCH):
        try:
            await store.upsert_points("g", [_point(each) for each in range(at, at + BATCH)])
        except DiskFull:
            return at - first
    return most


async def _run(folder: Path, reserve: int, steps: list[str]) -> None:
    disk = SmallDisk(folder)
    store = EdgeStore(folder / "vectors", rules=BuildRules(points=0), reserve_bytes=reserve)
    await store.create_generation("g", DIMENSIONS)
    for step in steps:
        told = 0
        if step == "write":
            told = await _write(store, await store.count_points("g", ALL), 400_000)
        elif step == "again":
            told = await _write(store, await store.count_points("g", ALL), BATCH)
        elif step == "search":
            found = await store.nearest("g", point_of(1).dense, None, 5)
            told = await store.count_points("g", ALL) if found else 0
        else:
            disk.fill() if step == "fill" else disk.empty()
        print(step, told, flush=True)  # noqa: T201  # read by the test
    await store.close()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
