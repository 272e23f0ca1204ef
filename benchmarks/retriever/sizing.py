"""What a chunk costs on disk and in memory, for each way of keeping vectors: the figures of docs/scaling.md.

Usage: make bench-sizing [SIZE=200000] [OPTIONS=none,scalar,binary,on_disk]

A collection of SIZE chunks (384 dimensions, about 900 characters of text) is written in bulk and searched by the
running service. Disk is all files of the vector store. Memory is what the service has resident after 200 searches, less
what an empty one has: its own (anonymous), and mapped from files, which the system may take back.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.home import write_result
from benchmarks.retriever.search_collection import Question, build, save_questions
from benchmarks.retriever.search_service import Service, serving
from contracts.retrieval.collections import VectorOptions
from retriever.stores.edge.store import EdgeStore

SIZE = int(os.environ.get("SIZE", "200000"))
SEARCHES = 200
NAME = "bench"
SECONDS = 900.0
WAYS = {
    "none": VectorOptions(),
    "scalar": VectorOptions(quantization="scalar"),
    "binary": VectorOptions(quantization="binary"),
    "on_disk": VectorOptions(on_disk=True),
}


def main() -> None:
    """Measure each way, print, keep."""
    chosen = os.environ.get("OPTIONS", ",".join(WAYS)).split(",")
    results = {}
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = measure(Path(folder), WAYS[name])
            print(f"{name}: {results[name]}", flush=True)
    figures = list(next(iter(results.values())))
    print(f"\n{SIZE:,} chunks{'':<40}" + "".join(f"{name:>12}" for name in results))
    for figure in figures:
        print(f"{figure:<52}" + "".join(f"{each[figure]:>12}" for each in results.values()))
    write_result("sizing", {"chunks": SIZE, "figures": results})


def measure(folder: Path, options: VectorOptions) -> dict[str, Any]:
    """The figures of one way of keeping vectors."""
    questions = asyncio.run(_build(folder, options))
    file = folder / "questions.json"
    save_questions(file, questions)
    with tempfile.TemporaryDirectory() as nothing:
        save_questions(Path(nothing) / "questions.json", questions)
        with serving(Path(nothing), Path(nothing) / "questions.json") as empty:
            before = empty.resident()
    with serving(folder, file) as service:
        _wait_for_index(service, questions)
    with serving(folder, file) as service:  # as after a restart: no memory that building left
        answers = service.search_all(NAME, questions[:SEARCHES])
        own, mapped = (now - then for now, then in zip(service.resident(), before, strict=True))
    disk = sum(each.stat().st_blocks * 512 for each in (folder / "vectors").rglob("*") if each.is_file())
    return {
        "disk, bytes a chunk": round(disk / SIZE),
        "memory of its own, bytes a chunk": round(own / SIZE),
        "memory mapped from files, bytes a chunk": round(mapped / SIZE),
        "memory of its own, GB a million chunks": round(own / SIZE / 1000, 2),
        "search without the embedding, p50 ms": round(statistics.median(each.own for each in answers), 1),
    }


async def _build(folder: Path, options: VectorOptions) -> list[Question]:
    store = EdgeStore(folder / "vectors")
    try:
        return (await build(folder, store, NAME, SIZE, options=options))[1]
    finally:
        await store.close()


def _wait_for_index(service: Service, questions: Sequence[Question]) -> None:
    """Searching opens the collection, which starts the build."""
    deadline = time.monotonic() + SECONDS
    while not service.indexes_built():
        if time.monotonic() > deadline:
            raise SystemExit(f"no index was built within {SECONDS:.0f} s")
        service.search_all(NAME, questions[:1])
        time.sleep(0.5)


if __name__ == "__main__":
    main()
