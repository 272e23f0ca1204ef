"""A revision's chunks as they were cut, kept so that a resumed job sends exactly what it began to send."""

from __future__ import annotations

import json
from collections.abc import Sequence

from contracts.indexing import ChunkInput
from ingest.chunking.cutting import Chunk


def dump(chunks: Sequence[Chunk]) -> bytes:
    """The plan as bytes; headers and heading paths are kept once each."""
    headers: dict[str, int] = {}
    paths: dict[tuple[str, ...], int] = {}
    rows = [
        [
            chunk.start,
            chunk.end,
            chunk.page,
            paths.setdefault(chunk.heading_path, len(paths)),
            headers.setdefault(chunk.header, len(headers)),
        ]
        for chunk in chunks
    ]
    return json.dumps({"headers": list(headers), "paths": [list(path) for path in paths], "chunks": rows}).encode()


def load(saved: bytes) -> list[Chunk]:
    """The reverse of `dump`."""
    plan = json.loads(saved)
    paths = [tuple(path) for path in plan["paths"]]
    return [
        Chunk(start, end, page, paths[path], plan["headers"][header])
        for start, end, page, path, header in plan["chunks"]
    ]


def as_inputs(chunks: Sequence[Chunk], text: str, first: int, last: int) -> list[ChunkInput]:
    """The chunks `first..last` as the retriever takes them."""
    return [
        ChunkInput(
            ordinal=ordinal,
            text=text[chunk.start : chunk.end],
            start=chunk.start,
            end=chunk.end,
            page=chunk.page,
            heading_path=list(chunk.heading_path),
            header=chunk.header,
        )
        for ordinal, chunk in enumerate(chunks[first:last], first)
    ]
