"""Documents: `client.documents`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from contracts.documents.batches import BatchReply
from contracts.documents.documents import Document, DocumentChunk, DocumentCreate, DocumentRevision
from contracts.documents.jobs import Accepted
from contracts.models.chat import DocumentSummary
from contracts.operations import documents as operations
from extraction.formats.catalog import media_type_of
from groundwork.client.connection import Connection

UPLOAD_SECONDS = 600.0
SUMMARY_SECONDS = 120.0


class Documents:
    """Upload, look at and delete documents. An upload is answered at once; wait for its job with `jobs.wait`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(
        self,
        collection: str,
        content: Path | bytes,
        *,
        filename: str | None = None,
        media_type: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        document_id: str | None = None,
    ) -> Accepted:
        """Send a file, or bytes under a file name. A file is streamed, never read whole into memory."""
        fields = {
            "title": title,
            "document_id": document_id,
            "metadata": json.dumps(dict(metadata)) if metadata else None,
        }
        data = _given(fields)
        name = filename or (content.name if isinstance(content, Path) else "document.txt")
        kind = media_type or media_type_of(name) or "application/octet-stream"
        if isinstance(content, Path):
            with content.open("rb") as stream:
                return self._create(collection, files={"file": (name, stream, kind)}, data=data)
        return self._create(collection, files={"file": (name, content, kind)}, data=data)

    def add_text(
        self,
        collection: str,
        text: str,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        document_id: str | None = None,
    ) -> Accepted:
        """Send text itself."""
        body = {"text": text, "title": title, "metadata": dict(metadata or {}), "document_id": document_id}
        return self._create(collection, json=_given(body))

    def add_url(
        self,
        collection: str,
        url: str,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        document_id: str | None = None,
    ) -> Accepted:
        """Have the server fetch a document from the web; the answer comes when it has the bytes."""
        body = {"url": url, "title": title, "metadata": dict(metadata or {}), "document_id": document_id}
        return self._create(collection, json=_given(body))

    def add_batch(self, collection: str, documents: Sequence[DocumentCreate]) -> BatchReply:
        """Send up to 100 texts or URLs in one call. Each has a result, in order: `Accepted`, or `Refused` with why."""
        body = {"documents": [document.model_dump(mode="json", exclude_none=True) for document in documents]}
        return self._connection.model(operations.CREATE_DOCUMENTS, collection, json=body, timeout=UPLOAD_SECONDS)

    def get(self, collection: str, document_id: str) -> Document:
        """One document."""
        return self._connection.model(operations.GET_DOCUMENT, collection, document_id)

    def list(self, collection: str, *, status: str | None = None, q: str | None = None) -> Iterator[Document]:
        """The documents of a collection, by status or by words of title or source."""
        return self._connection.pages(operations.LIST_DOCUMENTS, collection, params={"status": status, "q": q})

    def delete(self, collection: str, document_id: str) -> None:
        """Delete a document; it is gone from search when this returns."""
        self._connection.call(operations.DELETE_DOCUMENT, collection, document_id)

    def text(self, collection: str, document_id: str, *, revision: int | None = None) -> str:
        """The extracted text that spans index, of the active revision or of an earlier retained one."""
        params = {} if revision is None else {"revision": revision}
        return self._connection.call(operations.GET_DOCUMENT_TEXT, collection, document_id, params=params).text

    def content(self, collection: str, document_id: str) -> bytes:
        """The original bytes."""
        return self._connection.call(operations.GET_DOCUMENT_CONTENT, collection, document_id).content

    def revisions(self, collection: str, document_id: str) -> Iterator[DocumentRevision]:
        """The revisions that are retained, newest first."""
        return self._connection.pages(operations.LIST_REVISIONS, collection, document_id)

    def page_picture(
        self,
        collection: str,
        document_id: str,
        page: int,
        *,
        spans: Sequence[tuple[int, int]] = (),
        revision: int | None = None,
    ) -> bytes:
        """A page of a PDF, from 1, as a PNG, with these characters of the document's text marked."""
        params = _given({"spans": ",".join(f"{start}-{end}" for start, end in spans) or None, "revision": revision})
        values = (collection, document_id, str(page))
        return self._connection.call(operations.GET_PAGE_PICTURE, *values, params=params).content

    def summary(
        self, collection: str, document_id: str, *, sentences: int | None = None, model: str | None = None
    ) -> DocumentSummary:
        """The document in short, in its own sentences or a model's, with where in it each of them stands."""
        body = _given({"sentences": sentences, "model": model})
        return self._connection.model(
            operations.SUMMARISE_DOCUMENT, collection, document_id, json=body, timeout=SUMMARY_SECONDS
        )

    def back_up(self, collection: str, document_id: str, into: IO[bytes]) -> None:
        """Write the document's archive: original, text, how it is cut, and embeddings, to `restore` it from."""
        self._connection.download(operations.BACK_UP_DOCUMENT, collection, document_id, into=into)

    def restore(self, collection: str, archive: Iterable[bytes]) -> Accepted:
        """Put a document back from its archive; nothing of it is read or embedded again where the model is the same.

        Raises `ApiError` 409 `document_differs` if it is there with other bytes.
        """
        options = {"content": archive, "headers": {"Content-Type": "application/zip"}, "timeout": UPLOAD_SECONDS}
        return self._connection.model(operations.RESTORE_DOCUMENT, collection, **options)

    def chunks(self, collection: str, document_id: str) -> Iterator[DocumentChunk]:
        """The chunks of the active revision, in order."""
        return self._connection.pages(operations.LIST_CHUNKS, collection, document_id)

    def _create(self, collection: str, **body: Any) -> Accepted:
        return self._connection.model(operations.CREATE_DOCUMENT, collection, timeout=UPLOAD_SECONDS, **body)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
