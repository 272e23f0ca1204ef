"""A document as its caller submits it: the bytes and what is said of them; then what the bytes are."""

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

from contracts.documents.documents import DocumentCreate, Metadata
from extraction.formats.catalog import FORMATS, TEXT
from extraction.formats.detection import HEAD, Received, detect
from extraction.model.failures import ParseFailed
from ingest.errors import EmptyFile, InvalidField, UnsupportedDocument
from ingest.ports import Fetched
from servicekit.peers.address_policy import MAX_URL_CHARS, without_credentials

PIECE = 256 * 1024
MAX_METADATA_BYTES = 64 * 1024
_VAGUE = ("", TEXT, "application/octet-stream", "binary/octet-stream", "application/force-download")
"""What servers say of files that they know nothing about; a file's name says more."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Submission:
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
class Examination:
    """What the bytes are."""

    sha256: str
    bytes: int
    media_type: str


def from_text(body: DocumentCreate, text: str) -> Submission:
    """An upload as the text itself; raises `InvalidField`."""
    check_metadata(body.metadata)
    first = next((line.strip() for line in text[:4000].splitlines() if line.strip()), "")
    return Submission(
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


def from_url(body: DocumentCreate, fetched: Fetched, content: BinaryIO) -> Submission:
    """A document that was fetched; its source is the final URL without secrets."""
    filename = clean_filename(fetched.filename)
    return Submission(
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


async def examine(submission: Submission) -> Examination:
    """Hash the bytes and tell their type; raises `EmptyFile` or `UnsupportedDocument`."""
    return await asyncio.to_thread(_examine, submission)


def _examine(submission: Submission) -> Examination:
    digest, size, head, tail, has_nul = hashlib.sha256(), 0, b"", b"", False
    submission.content.seek(0)
    while piece := submission.content.read(PIECE):
        digest.update(piece)
        size += len(piece)
        head = head or piece[:HEAD]
        tail = (tail + piece)[-HEAD:]
        has_nul = has_nul or b"\0" in piece
    if size == 0 or (submission.param == "text" and not head.strip()):
        raise EmptyFile(submission.param)
    received = Received(head, tail, has_nul, submission.filename, submission.declared)
    return Examination(digest.hexdigest(), size, _kind(submission, received))


def _kind(submission: Submission, received: Received) -> str:
    """By the bytes; then, of an upload, by its name first, of a fetched page by what its server said of it first."""
    readings = [received]
    if submission.param == "url" and received.declared not in _VAGUE:
        readings.insert(0, replace(received, filename=""))
    for reading in readings:
        try:
            return media_type(reading)
        except UnsupportedDocument as error:
            error.param = submission.param
            refused = error
    raise refused


def media_type(received: Received) -> str:
    """One of the supported types; raises `UnsupportedDocument`."""
    try:
        return detect(received)
    except ParseFailed as failure:
        raise UnsupportedDocument(failure.message, [each.label for each in FORMATS]) from None


def check_metadata(metadata: Metadata) -> None:
    """Raise `InvalidField` for what can't be kept."""
    size = len(json.dumps(metadata))
    if size > MAX_METADATA_BYTES:
        raise InvalidField("metadata", f"is {size:,} bytes long; at most {MAX_METADATA_BYTES:,} are kept")


def clean_filename(name: str) -> str:
    """The last part of a path, without characters that could fool a reader."""
    return _UNSAFE.sub("", name.replace("\\", "/").rpartition("/")[2]).strip()[:255]
