"""Tools that read documents: search, and a span or a page of one. The retriever holds the caller to its rights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.ports import Library, Search
from agent.tools.built_in import BuiltInTool
from agent.tools.tool import Repeat, ToolCaller, ToolFailed
from contracts.access.delegation import Scope
from contracts.agents.runs import RunSource
from contracts.documents.documents import DocumentChunk
from contracts.retrieval.search import Hit, SearchRequest
from servicekit.core.errors import NotFound, PeerError

SEARCH_SCOPES: tuple[Scope, ...] = ("search",)
READ_SCOPES: tuple[Scope, ...] = ("documents", "search")
MAX_COLLECTIONS = 16
MAX_READ_CHARS = 12_000
_DOCUMENT_ID = r"^(\.{3}|\.{0,2}[A-Za-z0-9_-])[A-Za-z0-9._-]*$"
"""Not `.` or `..`, in the few keywords that all engines hold a model to."""
_COLLECTION = {
    "type": "string",
    "pattern": r"^[a-z0-9][a-z0-9_-]{0,62}$",
    "description": "the collection, as search_documents names it",
}


class SearchDocuments:
    """`Tool`: the chunks that fit a query best."""

    name = "search_documents"
    kind = "search_documents"
    repeat: Repeat = "safe"

    def __init__(self, search: Search, library: Library, collections: Sequence[str] | None, limit: int) -> None:
        self._search = search
        self._library = library
        self._collections = collections
        self._limit = limit
        where = f" Collections: {', '.join(collections)}." if collections else ""
        self.description = f"Finds passages in documents by meaning and words.{where}"
        self.parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 2000}},
            "required": ["query"],
            "additionalProperties": False,
        }

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The passages, each with where it is."""
        await caller.require(self.name, SEARCH_SCOPES)
        token = await caller.token()
        collections = self._collections or (await self._library.collections(token))[:MAX_COLLECTIONS]
        if not collections:
            return "There are no collections to search in."
        request = SearchRequest(query=arguments["query"], collections=list(collections), limit=self._limit)
        reply = await self._search.search(request, token)
        if not reply.hits:
            return "Nothing was found. Try other words."
        caller.sources.extend(RunSource.model_validate(hit.model_dump()) for hit in reply.hits)
        return "\n\n".join(map(_describe_hit, reply.hits))


class ReadDocument:
    """`Tool`: the text of a document between two offsets, or of a page."""

    name = "read_document"
    kind = "read_document"
    repeat: Repeat = "safe"
    description = "Reads a document: from offset `start` to `end` in characters, or one page, or from its beginning."

    def __init__(self, library: Library, collections: Sequence[str] | None) -> None:
        self._library = library
        self._collections = collections
        offset = {"type": "integer", "minimum": 0}
        self.parameters: dict[str, Any] = {
            "type": "object",
            "properties": {
                "collection": _COLLECTION,
                "document_id": {"type": "string", "pattern": _DOCUMENT_ID, "maxLength": 200},
                "start": offset,
                "end": offset,
                "page": {"type": "integer", "minimum": 1},
            },
            "required": ["collection", "document_id"],
            "additionalProperties": False,
        }

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The text, at most `MAX_READ_CHARS` of it, and where to go on."""
        await caller.require(self.name, READ_SCOPES)
        collection, document_id = arguments["collection"], arguments["document_id"]
        if self._collections is not None and collection not in self._collections:
            raise ToolFailed(f"This agent reads only from: {', '.join(self._collections)}.")
        try:
            chunks = await self._library.chunks(collection, document_id, await caller.token())
        except (NotFound, PeerError) as error:
            if error.http_status != 404:
                raise
            raise ToolFailed(f"There is no document '{document_id}' in '{collection}'.") from None
        page, start, end = arguments.get("page"), arguments.get("start", 0), arguments.get("end")
        if page is not None:
            of_it = _of_page(chunks, page)
            start, end = of_it[0].start, of_it[-1].end
        else:
            end = end if end is not None else start + MAX_READ_CHARS
            of_it = _of_span(chunks, start, end)
        end = min(end, start + MAX_READ_CHARS)
        about = {"collection": collection, "document_id": document_id}
        read = [chunk for chunk in of_it if chunk.start < end]
        caller.sources.extend(RunSource.model_validate({**about, **chunk.model_dump()}) for chunk in read)
        return _join(of_it, start, end)


def _describe_hit(hit: Hit) -> str:
    page = f", page {hit.page}" if hit.page else ""
    where = f"collection={hit.collection} document_id={hit.document_id} start={hit.start} end={hit.end}{page}"
    return f"[{where}] {hit.title}\n{hit.text}"


def _of_page(chunks: Sequence[DocumentChunk], page: int) -> list[DocumentChunk]:
    of_it = [chunk for chunk in chunks if chunk.page == page]
    if not of_it:
        pages = sorted({chunk.page for chunk in chunks if chunk.page is not None})
        has = f"It has pages {pages[0]} to {pages[-1]}." if pages else "It has no pages; read by offsets."
        raise ToolFailed(f"There is no text on page {page}. {has}")
    return of_it


def _of_span(chunks: Sequence[DocumentChunk], start: int, end: int) -> list[DocumentChunk]:
    of_it = [chunk for chunk in chunks if chunk.end > start and chunk.start < end]
    if not of_it:
        length = chunks[-1].end if chunks else 0
        raise ToolFailed(f"There is no text there. The document ends at {length}.")
    return of_it


def _join(chunks: Sequence[DocumentChunk], start: int, end: int) -> str:
    """The text of chunks that follow each other, which may overlap."""
    parts: list[str] = []
    at = start
    for chunk in chunks:
        if chunk.start > at and parts:
            parts.append("\n")
        begin = max(at, chunk.start)
        if begin < min(end, chunk.end):
            parts.append(chunk.text[begin - chunk.start : min(end, chunk.end) - chunk.start])
            at = min(end, chunk.end)
    more = f"\n[goes on at start={at}]" if chunks[-1].end > at else ""
    return f"[start={max(start, chunks[0].start)} end={at}]\n{''.join(parts)}{more}"


BUILT_IN = (
    BuiltInTool(
        "search_documents",
        "Finds passages by meaning and words in the named collections, else in those of the key.",
        lambda options, resources: SearchDocuments(
            resources.search, resources.library, options.collections, options.limit
        ),
        SEARCH_SCOPES,
        options=("collections", "limit"),
    ),
    BuiltInTool(
        "read_document",
        "Reads a span or a page of a document.",
        lambda options, resources: ReadDocument(resources.library, options.collections),
        READ_SCOPES,
        options=("collections",),
    ),
)
