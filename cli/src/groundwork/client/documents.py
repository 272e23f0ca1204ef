"""Documents: `client.documents`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from contracts.batches import BatchReply
from contracts.documents import Document, DocumentChunk, DocumentCreate
from contracts.formats import media_type_of
from contracts.jobs import Accepted
from groundwork.client.collections import collection_path
from groundwork.client.connection import Connection, parse

UPLOAD_SECONDS = 600.0


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
        data = {name: value for name, value in fields.items() if value is not None}
        name = filename or (content.name if isinstance(content, Path) else "document.txt")
        kind = media_type or media_type_of(name) or "application/octet-stream"
        path, limit = f"{collection_path(collection)}/documents", UPLOAD_SECONDS
        if isinstance(content, Path):
            with content.open("rb") as stream:
                files = {"file": (name, stream, kind)}
                return parse(Accepted, self._connection.call("POST", path, files=files, data=data, timeout=limit))
        files_of_bytes = {"file": (name, content, kind)}
        return parse(Accepted, self._connection.call("POST", path, files=files_of_bytes, data=data, timeout=limit))

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
        return self._create(collection, body)

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
        return self._create(collection, body)

    def add_batch(self, collection: str, documents: Sequence[DocumentCreate]) -> BatchReply:
        """Send up to 100 texts or URLs in one call. Each has a result, in order: `Accepted`, or `Refused` with why."""
        body = {"documents": [document.model_dump(mode="json", exclude_none=True) for document in documents]}
        path = f"{collection_path(collection)}/documents:batch"
        return self._connection.model(BatchReply, "POST", path, json=body, timeout=UPLOAD_SECONDS)

    def get(self, collection: str, document_id: str) -> Document:
        """One document."""
        return self._connection.model(Document, "GET", document_path(collection, document_id))

    def list(self, collection: str, *, status: str | None = None, q: str | None = None) -> Iterator[Document]:
        """The documents of a collection, by status or by words of title or source."""
        return self._connection.pages(Document, f"{collection_path(collection)}/documents", {"status": status, "q": q})

    def delete(self, collection: str, document_id: str) -> None:
        """Delete a document; it is gone from search when this returns."""
        self._connection.call("DELETE", document_path(collection, document_id))

    def text(self, collection: str, document_id: str, *, revision: int | None = None) -> str:
        """The extracted text that spans index, of the active revision or of an earlier retained one."""
        params = {} if revision is None else {"revision": revision}
        return self._connection.call("GET", f"{document_path(collection, document_id)}/text", params=params).text

    def content(self, collection: str, document_id: str) -> bytes:
        """The original bytes."""
        return self._connection.call("GET", f"{document_path(collection, document_id)}/content").content

    def back_up(self, collection: str, document_id: str, into: IO[bytes]) -> None:
        """Write the document's archive: original, text, how it is cut, and embeddings, to `restore` it from."""
        self._connection.download(f"{document_path(collection, document_id)}/backup", into)

    def restore(self, collection: str, archive: Iterable[bytes]) -> Accepted:
        """Put a document back from its archive; nothing of it is read or embedded again where the model is the same.

        Raises `ApiError` 409 `document_differs` if it is there with other bytes.
        """
        path = f"{collection_path(collection)}/documents:restore"
        headers = {"Content-Type": "application/zip"}
        return self._connection.model(Accepted, "POST", path, content=archive, headers=headers, timeout=UPLOAD_SECONDS)

    def chunks(self, collection: str, document_id: str) -> Iterator[DocumentChunk]:
        """The chunks of the active revision, in order."""
        return self._connection.pages(DocumentChunk, f"{document_path(collection, document_id)}/chunks")

    def _create(self, collection: str, body: Mapping[str, Any]) -> Accepted:
        given = {name: value for name, value in body.items() if value is not None}
        path = f"{collection_path(collection)}/documents"
        return self._connection.model(Accepted, "POST", path, json=given, timeout=UPLOAD_SECONDS)


def document_path(collection: str, document_id: str) -> str:
    """The path of one document."""
    return f"{collection_path(collection)}/documents/{quote(document_id, safe='')}"
