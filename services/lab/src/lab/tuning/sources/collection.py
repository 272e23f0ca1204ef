"""All chunks of a collection, as a tuning job's key reads them: what a question is to find its answer among."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from contracts.documents.documents import Document
from contracts.retrieval.search import SearchOptions
from lab.evaluations.documents import Documents
from lab.evaluations.target import names_of
from lab.tuning.errors import CollectionUnfit
from servicekit.core.errors import PeerError

MOST_DOCUMENTS = 5000
MOST_CHUNKS = 20_000
_GONE = 404


@dataclass(slots=True)
class Chunks:
    """In the documents' order."""

    texts: list[str] = field(default_factory=list)
    """As they are embedded: with their headers."""
    owners: list[int] = field(default_factory=list)
    """Of each chunk its document, by number."""
    spans: list[tuple[int, int]] = field(default_factory=list)
    """Of each, where it stands in its document."""
    documents: dict[str, int] = field(default_factory=dict)
    """Numbers by id, of those that have a chunk."""
    names: dict[str, int | None] = field(default_factory=dict)
    """Numbers by what a question may call them otherwise, as evaluations read it; null for what several are called."""

    def number_of(self, name: str) -> int | None:
        """Of the document with this id, or else of the only one with this source, file name or title."""
        return self.documents.get(name, self.names.get(name))

    def call(self, number: int, names: Iterable[str]) -> None:
        """Note what a document is called beside its id."""
        for name in names:
            self.names[name] = number if self.names.get(name, number) == number else None


@dataclass(frozen=True, slots=True)
class CollectionReader:
    """`token` is one that may read documents."""

    documents: Documents
    name: str
    token: Callable[[], Awaitable[str]]

    async def embedded_by(self, question: str, request_id: str) -> str | None:
        """The embedding model that a search of it takes; none of a collection without any."""
        options = SearchOptions(query=question, mode="dense", limit=1)
        return await self.documents.embedded_by(await self.token(), self.name, options, request_id)

    async def chunks(self) -> Chunks:
        """All of them; raises `CollectionUnfit` where there are none, or more than can be learnt from."""
        found = Chunks()
        for document in await self._documents():
            await self._add(found, document.id)
            if document.id in found.documents:
                found.call(found.documents[document.id], names_of(document.id, document.source, document.title)[1:])
            if len(found.texts) > MOST_CHUNKS:
                raise CollectionUnfit(
                    self.name, f"it has more than {MOST_CHUNKS:,} chunks, the most that can be learnt from"
                )
        if not found.texts:
            raise CollectionUnfit(self.name, "it has no documents that are ready. Add some first")
        return found

    async def _documents(self) -> list[Document]:
        found: list[Document] = []
        cursor: str | None = None
        while True:
            page = await self.documents.list_documents(await self.token(), self.name, cursor)
            found += page.data
            if len(found) > MOST_DOCUMENTS:
                most = f"{MOST_DOCUMENTS:,} documents, the most that can be learnt from"
                raise CollectionUnfit(self.name, f"it has more than {most}")
            if (cursor := page.next_cursor) is None:
                return sorted(found, key=lambda one: one.id)  # the same order, whatever was changed last

    async def _add(self, found: Chunks, document_id: str) -> None:
        cursor: str | None = None
        while len(found.texts) <= MOST_CHUNKS:
            try:
                page = await self.documents.list_chunks(await self.token(), self.name, document_id, cursor)
            except PeerError as error:
                if error.http_status == _GONE:
                    return  # it was deleted since it was listed
                raise
            for chunk in page.data:
                number = found.documents.setdefault(document_id, len(found.documents))
                found.texts.append(f"{chunk.header}\n{chunk.text}" if chunk.header else chunk.text)
                found.owners.append(number)
                found.spans.append((chunk.start, chunk.end))
            if (cursor := page.next_cursor) is None:
                return
