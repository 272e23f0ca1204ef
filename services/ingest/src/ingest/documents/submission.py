"""Taking in an upload: what the form or the JSON says, the bytes' hash and type, and the bytes into the blob store."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from contracts.core.base import DocumentId, Title
from contracts.documents.documents import DocumentCreate, Metadata
from extraction.formats.catalog import FORMATS, TEXT
from extraction.formats.detection import HEAD, Received, detect
from extraction.model.failures import ParseFailed
from ingest.errors import EmptyFile, InvalidField, UnsupportedDocument
from ingest.ports import Fetched
from servicekit.peers.address_policy import MAX_URL_CHARS, without_credentials

PIECE = 256 * 1024
MAX_METADATA_BYTES = 64 * 1024
_FIELDS = frozenset(("file", "metadata", "document_id", "title"))
_TITLE: TypeAdapter[str] = TypeAdapter(Title)
_DOCUMENT_ID: TypeAdapter[str] = TypeAdapter(DocumentId)
_METADATA: TypeAdapter[Metadata] = TypeAdapter(Metadata)
_NO_OBJECT = 'must be a JSON object, for example {"team": "hr"}'
_VAGUE = ("", TEXT, "application/octet-stream", "binary/octet-stream", "application/force-download")
"""What servers say of files that they know nothing about; a file's name says more."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller sent: the bytes, and what they say about them."""

    content: BinaryIO
    filename: str
    """Empty for text."""
    declared: str
    title: str | None
    fallback_title: str
    source: str
    metadata: Metadata
    document_id: str | None
    param: str = "file"
    """What the caller gave it as."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What the bytes are."""

    sha256: str
    bytes: int
    media_type: str


def from_form(form: FormData) -> Wanted:
    """An upload as multipart/form-data; raises `InvalidField`."""
    for name in form:
        if name not in _FIELDS:
            raise InvalidField(name, "there is no such field; use file, metadata, document_id and title")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidField("file", "a part named 'file' with a file is needed. For example: curl -F file=@handbook.pdf")
    filename = _filename(file.filename or "")
    given = _field(form, "document_id")
    return Wanted(
        content=file.file,
        filename=filename,
        declared=(file.content_type or "").partition(";")[0].strip().lower(),
        title=_checked(_TITLE, "title", _field(form, "title")),
        fallback_title=PurePosixPath(filename).stem.strip() or given or "Untitled",
        source=filename or "upload",
        metadata=_metadata(_field(form, "metadata")),
        document_id=_checked(_DOCUMENT_ID, "document_id", given),
    )


def from_text(body: DocumentCreate, text: str) -> Wanted:
    """An upload as the text itself; raises `InvalidField`."""
    check_metadata(body.metadata)
    first = next((line.strip() for line in text[:4000].splitlines() if line.strip()), "")
    return Wanted(
        content=io.BytesIO(text.encode()),
        filename="",
        declared=TEXT,
        title=body.title or None,
        fallback_title=body.document_id or _UNSAFE.sub("", first)[:80] or "Untitled",
        source="text",
        metadata=body.metadata,
        document_id=body.document_id,
        param="text",
    )


def from_url(body: DocumentCreate, fetched: Fetched, content: BinaryIO) -> Wanted:
    """A document that was fetched; its source is the final URL without secrets."""
    filename = _filename(fetched.filename)
    return Wanted(
        content=content,
        filename=filename,
        declared=fetched.declared,
        title=body.title or None,
        fallback_title=PurePosixPath(filename).stem.strip() or urlsplit(fetched.url).hostname or "Untitled",
        source=without_credentials(fetched.url)[:MAX_URL_CHARS],
        metadata=body.metadata,
        document_id=body.document_id,
        param="url",
    )


async def examine(wanted: Wanted) -> Examined:
    """Hash the bytes and tell their type; raises `EmptyFile` or `UnsupportedDocument`."""
    return await asyncio.to_thread(_examine, wanted)


def _examine(wanted: Wanted) -> Examined:
    digest, size, head, tail, has_nul = hashlib.sha256(), 0, b"", b"", False
    wanted.content.seek(0)
    while piece := wanted.content.read(PIECE):
        digest.update(piece)
        size += len(piece)
        head = head or piece[:HEAD]
        tail = (tail + piece)[-HEAD:]
        has_nul = has_nul or b"\0" in piece
    if size == 0 or (wanted.param == "text" and not head.strip()):
        raise EmptyFile(wanted.param)
    received = Received(head, tail, has_nul, wanted.filename, wanted.declared)
    return Examined(digest.hexdigest(), size, _kind(wanted, received))


def _kind(wanted: Wanted, received: Received) -> str:
    """By the bytes; then, of an upload, by its name first, of a fetched page by what its server said of it first."""
    readings = [received]
    if wanted.param == "url" and received.declared not in _VAGUE:
        readings.insert(0, replace(received, filename=""))
    for reading in readings:
        try:
            return media_type(reading)
        except UnsupportedDocument as error:
            error.param = wanted.param
            refused = error
    raise refused


def media_type(received: Received) -> str:
    """One of the supported types; raises `UnsupportedDocument`."""
    try:
        return detect(received)
    except ParseFailed as failure:
        raise UnsupportedDocument(failure.message, [each.label for each in FORMATS]) from None


def _field(form: FormData, name: str) -> str | None:
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise InvalidField(name, "must be a plain form field, not a file")
    return value or None


def _checked(adapter: TypeAdapter[str], name: str, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return adapter.validate_python(value) or None
    except ValidationError as error:
        raise InvalidField(name, error.errors()[0]["msg"]) from None


def _metadata(value: str | None) -> Metadata:
    if value is None:
        return {}
    try:
        metadata = _METADATA.validate_python(json.loads(value))
    except ValidationError as error:
        first = error.errors()[0]
        what = first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else _NO_OBJECT
        raise InvalidField("metadata", what) from None
    except (ValueError, RecursionError):
        raise InvalidField("metadata", _NO_OBJECT) from None
    check_metadata(metadata)
    return metadata


def check_metadata(metadata: Metadata) -> None:
    """Raise `InvalidField` for what can't be kept."""
    size = len(json.dumps(metadata))
    if size > MAX_METADATA_BYTES:
        raise InvalidField("metadata", f"is {size:,} bytes long; at most {MAX_METADATA_BYTES:,} are kept")


def _filename(name: str) -> str:
    """The last part of a path, without characters that could fool a reader."""
    return _UNSAFE.sub("", name.replace("\\", "/").rpartition("/")[2]).strip()[:255]
