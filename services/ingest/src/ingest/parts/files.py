"""A part of a revision: where it stands in the document, and what is kept of its text and chunks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.retrieval.chunks import ChunkInput
from extraction.chunking.chunker import Chunk
from extraction.model.document import PART_JOINT, Extracted, Resume


@dataclass(frozen=True, slots=True)
class Part:
    """One part as the ledger keeps it. Where it stands in the text is counted in code points."""

    number: int
    text_key: str
    structure_key: str
    """The blob of its blocks and chunks."""
    start: int
    chars: int
    first_chunk: int
    chunks: int
    last_page: int | None
    done: float
    """How much of the document is read with it, from 0 to 1."""

    @property
    def next_start(self) -> int:
        """Where the next part with text begins."""
        return self.start + self.chars + len(PART_JOINT) if self.chars else self.start

    @property
    def next_chunk(self) -> int:
        """The ordinal of the next part's first chunk."""
        return self.first_chunk + self.chunks

    def resume(self, extracted: Extracted) -> Resume:
        """How reading goes on after this part, which is `extracted`."""
        return Resume(self.number + 1, self.last_page or 0, self.start + self.chars, extracted.state)


NOTHING = Part(-1, "", "", 0, 0, 0, 0, None, 0.0)
"""What comes before the first part."""


def dump(extracted: Extracted, chunks: Iterable[Chunk]) -> bytes:
    """A part's structure blob: its blocks, and its chunks as they were cut. Headers and paths are kept once each."""
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
    plan = {"headers": list(headers), "paths": [list(path) for path in paths], "chunks": rows}
    return json.dumps({"structure": extracted.to_json(), "plan": plan}).encode()


def load(text: str, saved: bytes) -> tuple[Extracted, list[Chunk]]:
    """The reverse of `dump`. The plan of a restored document also has its chunks' encoded `embeddings`."""
    whole = json.loads(saved)
    plan = whole["plan"]
    paths = [tuple(path) for path in plan["paths"]]
    embeddings = plan.get("embeddings") or [None] * len(plan["chunks"])
    chunks = [
        Chunk(start, end, page, paths[path], plan["headers"][header], embedding)
        for (start, end, page, path, header), embedding in zip(plan["chunks"], embeddings, strict=True)
    ]
    return Extracted.from_json(text, whole["structure"]), chunks


def as_inputs(part: Part, text: str, chunks: list[Chunk], first: int, last: int) -> list[ChunkInput]:
    """The chunks `first..last` (ordinals in the document) of a part with this text, as the retriever takes them."""
    return [
        ChunkInput(
            ordinal=ordinal,
            text=text[chunk.start : chunk.end],
            start=part.start + chunk.start,
            end=part.start + chunk.end,
            page=chunk.page,
            heading_path=list(chunk.heading_path),
            header=chunk.header,
            embedding=chunk.embedding,
        )
        for ordinal, chunk in enumerate(chunks[first - part.first_chunk : last - part.first_chunk], first)
    ]
