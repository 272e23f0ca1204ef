"""A document's archive: one ZIP with the original, the extracted text, how it was cut, and the encoded embeddings.

| member | holds |
| --- | --- |
| `document.json` | `Manifest` |
| `original` | the bytes as they were uploaded |
| `parts/NNNN.text`, `parts/NNNN.json` | each part's text and its blocks and chunks, as the ledger keeps them |
| `embeddings` | one encoded embedding a line, in the order of the chunks |

An archive without parts is of a document that was not ready: it is read and cut anew. Archives come from callers, so
nothing in one is believed: sizes are bounded before they are unpacked, by what `document.json` says of them, and
whatever does not fit is `damaged`. However long the document, no more than one of its parts is in memory, and of
its embeddings a single one. `ingest.export.task` reads archives in a child all the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal, cast

from pydantic import Field, StringConstraints, ValidationError

from contracts.core.base import Count, DocumentId, Line, Request, Title
from contracts.core.values import check_text
from contracts.documents.documents import Metadata
from extraction.chunking.chunker import Chunk
from extraction.model.document import MAX_DEPTH, MAX_HEADING, PART_JOINT
from extraction.model.failures import ParseFailed, is_damage
from ingest.parts.files import Part, as_inputs, load

PIECE = 256 * 1024
MANIFEST, ORIGINAL, EMBEDDINGS = "document.json", "original", "embeddings"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_PARTS = 10_000
"""Of a document: each has 400,000 characters or up to 64 pages, but for the last."""
MAX_PLAN_BYTES = 64 * 1024 * 1024
"""Of a part's blocks and chunks, read whole: a million chunks."""
MAX_EMBEDDED_BYTES = 64 * 1024 * 1024
"""Of a part's encoded embeddings. A worker reads a part whole; beyond this its chunks are embedded anew."""
UTF8_BYTES = 4
"""Most that a character takes."""
MAX_TABLE_BYTES = 4 * 1024 * 1024
"""Of the table of members, which `zipfile` reads whole and turns into ten times as much: 60,000 members."""
MAX_ENCODED_BYTES = 256 * 1024
"""Of one encoded embedding: 40,000 dimensions."""
BLOCK_CHARS = 3
"""Least that a block takes of the text: a letter, and the empty line before the next."""
LISTS, VALUES = 2, 24
"""Most lists of a part's plan for each chunk and block, itself and its path of headings, and most values in those."""
OTHER_LISTS, OTHER_VALUES = 10_000, 200_000
"""Beside those: the facts of the part, and what its parser left for the next."""
MAX_HEADER = 64_000
"""Characters of a chunk's header, whatever the model. Headings above a chunk are bounded as parsers bound them: a plan
has each once, but the index has it with every chunk."""
OVERLAP = 3
"""Chunks overlap by less than half, so that together they have not twice the text; their beginnings move a little."""
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
MAX_REVISION = 2**30
"""Far below what a column holds, so that revisions can follow."""
_Small = Annotated[int, Field(ge=0, lt=2**31)]
"""What a column holds."""
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    EOFError,
    OSError,
    RuntimeError,  # a member with a password; JSON nested too deep
    ArithmeticError,
    AttributeError,
    lzma.LZMAError,
    struct.error,
)
"""What reading a ZIP, JSON or a plan raises when it is not what it says."""


def damaged(why: str) -> ParseFailed:
    """The archive is not one that a backup gave."""
    return ParseFailed("malformed", why)


def too_large(why: str) -> ParseFailed:
    """The archive has more in it than is allowed."""
    return ParseFailed("too_large", why)


class ArchivedPart(Request):
    """One part, as `ingest.parts.files.Part` without its blobs. `start` and `chars` count code points."""

    start: Count
    chars: Count
    first_chunk: _Small
    chunks: _Small
    last_page: _Small | None = None
    done: Annotated[float, Field(ge=0, le=1)]


class Manifest(Request):
    """What an archive says of its document."""

    format: Literal["groundwork-document/1"] = "groundwork-document/1"
    id: DocumentId
    revision: Annotated[int, Field(ge=1, le=MAX_REVISION)]
    title: Title
    title_given: bool
    source: Annotated[Line, StringConstraints(max_length=2000)]
    media_type: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,100}$")]
    metadata: Metadata = Field(default_factory=dict)
    bytes: Count
    sha256: _Sha256
    embedding_model: str | None = None
    """Whose tokens the chunks were counted in; null without parts."""
    pages: _Small | None = None
    unread_pages: Annotated[list[_Small], Field(max_length=100_000)] | None = None
    parts: Annotated[list[ArchivedPart], Field(max_length=MAX_PARTS)] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PartFiles:
    """Where a part's blobs lie."""

    text: Path
    structure: Path


def write(
    into: IO[bytes], manifest: Manifest, original: Path, parts: Sequence[PartFiles], encoded: IO[bytes] | None
) -> None:
    """Write a whole archive; `encoded` has the embeddings as their member does. Blocks: call it in a thread."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(MANIFEST, manifest.model_dump_json())
        archive.write(original, ORIGINAL, zipfile.ZIP_STORED)  # documents are mostly compressed already
        for number, part in enumerate(parts):
            archive.write(part.text, text_name(number))
            archive.write(part.structure, structure_name(number))
        if encoded is not None:
            with archive.open(EMBEDDINGS, "w", force_zip64=True) as member:
                shutil.copyfileobj(encoded, member, PIECE)


def text_name(number: int) -> str:
    """The member of a part's text."""
    return f"parts/{number:04}.text"


def structure_name(number: int) -> str:
    """The member of a part's blocks and chunks."""
    return f"parts/{number:04}.json"


class EncodedEmbeddings:
    """The encoded embeddings of an archive's chunks in their order, or none at all."""

    def __init__(self, lines: IO[bytes] | None) -> None:
        self._lines = lines

    def take(self, count: int) -> Iterator[bytes]:
        """Those of the next so many chunks, one by one, each as JSON; raises what is `damaged`."""
        for _ in range(count if self._lines is not None else 0):
            assert self._lines is not None
            with _damaged_otherwise():
                line = self._lines.readline(MAX_ENCODED_BYTES).rstrip(b"\n")
                encoded = json.dumps(line.decode()).encode()
            if len(line) >= MAX_ENCODED_BYTES - 1:
                raise damaged("one of its embeddings is too long")
            yield encoded


class _ShortReads:
    """A file of which no more than `most` bytes are read at once, where `most` is given."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self.most: int | None = most
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, file.close

    def read(self, size: int = -1) -> bytes:
        if self.most is not None and size > self.most:
            raise zipfile.BadZipFile("more at once than is allowed")
        return self._file.read(size)


class Archive:
    """An archive that a caller sent, checked as far as it was read. Its methods block: call them in a thread."""

    def __init__(self, file: IO[bytes], most_bytes: int, most_chars: int, most_header: int = MAX_HEADER) -> None:
        """Raises what is `damaged`; `too_large` for more than `most_bytes` in all or `most_chars` of text.

        `most_header` is of each chunk's header, in characters.
        """
        self._most_header = most_header
        with _damaged_otherwise():
            table = _ShortReads(file, MAX_TABLE_BYTES)
            self._zip = zipfile.ZipFile(cast("IO[bytes]", table))
            table.most = None
            size = sum(member.file_size for member in self._zip.infolist())
            if size > most_bytes:
                raise too_large(f"unpacks to more than {most_bytes:,} bytes (INGEST_MAX_ARCHIVE_BYTES)")
            if self._zip.getinfo(MANIFEST).file_size > MAX_MANIFEST_BYTES:
                raise damaged("its document.json is too large")
            self.manifest = Manifest.model_validate_json(self._zip.read(MANIFEST))
        self._check_parts()
        if sum(part.chars for part in self.manifest.parts) > most_chars:
            raise too_large(f"has more than {most_chars:,} characters of text (INGEST_MAX_TEXT_CHARS)")

    def write_original(self, into: IO[bytes]) -> None:
        """Write the original; it is `damaged` unless it has the digest and length that the manifest says."""
        digest, length = hashlib.sha256(), 0
        with _damaged_otherwise():
            if self._zip.getinfo(ORIGINAL).file_size != self.manifest.bytes:
                raise ValueError("another length")
            with self._zip.open(ORIGINAL) as member:
                while piece := member.read(PIECE):
                    digest.update(piece)
                    length += len(piece)
                    into.write(piece)
        if (digest.hexdigest(), length) != (self.manifest.sha256, self.manifest.bytes):
            raise damaged("its original has not the digest that its document.json says")

    @contextmanager
    def encoded(self) -> Iterator[EncodedEmbeddings]:
        """The encoded embeddings, to be taken part by part; none if there are not as many as chunks."""
        if not self._has_embeddings():
            yield EncodedEmbeddings(None)
            return
        with self._zip.open(EMBEDDINGS) as member, io.BufferedReader(cast("io.RawIOBase", member), PIECE) as lines:
            yield EncodedEmbeddings(cast("IO[bytes]", lines))

    def _has_embeddings(self) -> bool:
        """Whether there is one for each chunk."""
        with _damaged_otherwise():
            if EMBEDDINGS not in self._zip.namelist():
                return False
            lines = 1
            with self._zip.open(EMBEDDINGS) as member:
                while piece := member.read(PIECE):
                    lines += piece.count(b"\n")
        return lines == sum(part.chunks for part in self.manifest.parts)

    def part(self, number: int) -> tuple[bytes, bytes]:
        """A part's text and structure as the ledger keeps them, but for the embeddings of its chunks."""
        described = self.manifest.parts[number]
        with _damaged_otherwise():
            text = self._whole(text_name(number), described.chars * UTF8_BYTES).decode()
            saved = _structure(self._whole(structure_name(number), MAX_PLAN_BYTES), described)
            _, chunks = load(text, saved)
            spans = [(chunk.start, chunk.end) for chunk in chunks]
            fits = all(0 <= start < end <= len(text) for start, end in spans) and spans == sorted(spans)
            fits = fits and sum(end - start for start, end in spans) <= OVERLAP * len(text)
            if fits and (len(text), len(chunks)) == (described.chars, described.chunks):
                _check_chunks(Part(number, "", "", **described.model_dump()), text, chunks, self._most_header)
                return text.encode(), saved
        raise damaged(f"its part {number} does not fit its text")

    def _whole(self, name: str, most: int) -> bytes:
        """A member of a part."""
        if self._zip.getinfo(name).file_size > most:
            raise damaged(f"its {name} is larger than its document.json allows")
        return self._zip.read(name)

    def _check_parts(self) -> None:
        start = first_chunk = 0
        done = 0.0
        for number, part in enumerate(self.manifest.parts):
            if (part.start, part.first_chunk) != (start, first_chunk) or part.done < done:
                raise damaged(f"its part {number} does not follow the one before")
            if part.chunks > part.chars:
                raise damaged(f"its part {number} has more chunks than characters")
            start += part.chars + len(PART_JOINT) if part.chars else 0
            first_chunk, done = first_chunk + part.chunks, part.done
        if self.manifest.parts and (done < 1 or not first_chunk):
            raise damaged("its parts are not the whole text")


def archived(part: Part) -> ArchivedPart:
    """A part of the ledger as an archive tells it."""
    return ArchivedPart(**{name: getattr(part, name) for name in ArchivedPart.model_fields})


def _structure(content: bytes, part: ArchivedPart) -> bytes:
    """A structure as `ingest.parts.files` writes it, with no more in it than so many chunks and characters can have.

    They are counted before they are made: an empty list of two letters takes sixty bytes of memory.
    """
    bare = _STRINGS.sub(b"", content)
    things = part.chunks + part.chars // BLOCK_CHARS + 1
    if bare.count(b"[") + bare.count(b"{") > LISTS * things + OTHER_LISTS or bare.count(b",") > (
        VALUES * things + OTHER_VALUES
    ):
        raise ValueError("more lists and values than its chunks and blocks have")
    del bare
    whole = json.loads(content)
    plan = {name: whole["plan"][name] for name in ("headers", "paths", "chunks")}
    if max(len(plan["headers"]), len(plan["paths"])) > part.chunks:
        raise ValueError("more headers or paths of headings than chunks")
    return json.dumps({"structure": whole["structure"], "plan": plan}).encode()


def _check_chunks(part: Part, text: str, chunks: list[Chunk], most_header: int) -> None:
    """Raise `ValueError` unless the index would take these chunks."""
    if "\0" in text:
        raise ValueError("a text has no NUL in it")
    for ordinal in range(part.first_chunk, part.first_chunk + len(chunks)):
        (each,) = as_inputs(part, text, chunks, ordinal, ordinal + 1)
        if len(each.header) > most_header or len(each.heading_path) > MAX_DEPTH:
            raise ValueError("a header that is longer than any model reads")
        for words in (each.header, *each.heading_path):
            check_text(words)
            if "\0" in words:
                raise ValueError("a heading has no NUL in it")
        if any(len(heading) > MAX_HEADING for heading in each.heading_path):
            raise ValueError("a heading that is longer than any")


class _damaged_otherwise(AbstractContextManager[None]):  # noqa: N801  # reads as a clause
    """Turns what an archive's damage raises into `damaged`."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if isinstance(error, ParseFailed):
            return
        if isinstance(error, ValidationError) and error.title == Manifest.__name__:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise damaged(f"its document.json is wrong at {place}: {error.errors()[0]['msg']}") from None
        if isinstance(error, _DAMAGE) and is_damage(error):
            raise damaged("it is not a whole ZIP of a document as GET …/backup gives it") from None
