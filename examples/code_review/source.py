"""A source file of a collection: where its text stands, in the lines that an editor shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from contracts.retrieval.search import Hit
from groundwork.client import Groundwork


@dataclass(frozen=True)
class Source:
    """The file as it was ingested, and its extracted text, which has the same lines but for some blank ones."""

    path: str
    original: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """Of the file."""
        return self.original.splitlines()

    @cached_property
    def _numbers(self) -> list[int]:
        """The numbers of the lines that are not blank, from 1."""
        return [number for number, line in enumerate(self.lines, start=1) if line.strip()]

    def line_at(self, offset: int) -> int:
        """The number of the line with the first character at or after an offset into the extracted text."""
        lines = self.text[:offset].split("\n")
        before = sum(bool(line.strip()) for line in lines[:-1])
        return self._numbers[min(before, len(self._numbers) - 1)] if self._numbers else 1


class Sources:
    """The files of a collection, each fetched once."""

    def __init__(self, client: Groundwork, collection: str) -> None:
        self._client = client
        self._collection = collection
        self._known: dict[str, Source] = {}

    def of(self, hit: Hit) -> Source:
        """The file that a hit is of."""
        if hit.document_id not in self._known:
            documents = self._client.documents
            original = documents.content(self._collection, hit.document_id).decode("utf-8", "replace")
            text = documents.text(self._collection, hit.document_id, revision=hit.revision)
            path = str(hit.metadata.get("path") or hit.source)
            self._known[hit.document_id] = Source(path, original, text)
        return self._known[hit.document_id]
