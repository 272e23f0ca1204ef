"""A document's archive: one ZIP with the original, the extracted text, how it was cut, and the sealed embeddings.

| member | holds |
| --- | --- |
| `document.json` | `Manifest` |
| `original` | the bytes as they were uploaded |
| `parts/NNNN.text`, `parts/NNNN.json` | each part's text and its blocks and chunks, as the ledger keeps them |
| `embeddings` | one sealed embedding a line, in the order of the chunks |

An archive without parts is of a document that was not ready: it is read and cut anew. Archives come from callers, so
nothing in one is believed: sizes are bounded before they are unpacked, and whatever does not fit is `ArchiveDamaged`.
However long the document, no more than one of its parts is in memory, and of its embeddings that part's.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO, Literal, cast

from pydantic import Field, StringConstraints, ValidationError

from contracts.base import Count, DocumentId, Line, Request, Title
from contracts.documents import Metadata
from contracts.values import check_text
from ingest.chunking.cutting import Chunk
from ingest.errors import ArchiveDamaged, ArchiveTooLarge
from ingest.parsing.structure import PART_JOINT
from ingest.parts import Part, as_inputs, load

PIECE = 256 * 1024
MANIFEST, ORIGINAL, EMBEDDINGS = "document.json", "original", "embeddings"
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
MAX_PART_BYTES = 256 * 1024 * 1024
"""Of a part's text or plan, read whole: what ingest writes stays below with the text that it allows."""
MAX_TABLE_BYTES = 4 * 1024 * 1024
"""Of the table of members, which `zipfile` reads whole and turns into ten times as much: 60,000 members."""
MAX_SEALED_BYTES = 256 * 1024
"""Of one sealed embedding: 40,000 dimensions."""
MAX_CONTAINERS, MAX_VALUES = 4_000_000, 16_000_000
"""Of a part's plan: an empty list of two letters takes sixty bytes of memory."""
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


class ArchivedPart(Request):
    """One part, as `ingest.parts.Part` without its blobs. `start` and `chars` count code points."""

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
    unread_pages: list[_Small] | None = None
    parts: Annotated[list[ArchivedPart], Field(max_length=100_000)] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PartFiles:
    """Where a part's blobs lie."""

    text: Path
    structure: Path


def write(
    into: IO[bytes], manifest: Manifest, original: Path, parts: Sequence[PartFiles], sealed: IO[bytes] | None
) -> None:
    """Write a whole archive; `sealed` has the embeddings as their member does. Blocks: call it in a thread."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(MANIFEST, manifest.model_dump_json())
        archive.write(original, ORIGINAL, zipfile.ZIP_STORED)  # documents are mostly compressed already
        for number, part in enumerate(parts):
            archive.write(part.text, text_name(number))
            archive.write(part.structure, structure_name(number))
        if sealed is not None:
            with archive.open(EMBEDDINGS, "w", force_zip64=True) as member:
                shutil.copyfileobj(sealed, member, PIECE)


def text_name(number: int) -> str:
    """The member of a part's text."""
    return f"parts/{number:04}.text"


def structure_name(number: int) -> str:
    """The member of a part's blocks and chunks."""
    return f"parts/{number:04}.json"


class Sealed:
    """The sealed embeddings of an archive's chunks in their order, or none at all."""

    def __init__(self, lines: IO[bytes] | None) -> None:
        self._lines = lines

    def take(self, count: int) -> list[str]:
        """Those of the next so many chunks; raises `ArchiveDamaged`."""
        if self._lines is None:
            return []
        with _damaged_otherwise():
            taken = [self._lines.readline(MAX_SEALED_BYTES).rstrip(b"\n").decode() for _ in range(count)]
        if any(len(each) >= MAX_SEALED_BYTES - 1 for each in taken):
            raise ArchiveDamaged("one of its embeddings is too long")
        return taken


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

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        """Raises `ArchiveDamaged`, or `ArchiveTooLarge` if it would unpack to more than `most_bytes`."""
        with _damaged_otherwise():
            table = _ShortReads(file, MAX_TABLE_BYTES)
            self._zip = zipfile.ZipFile(cast("IO[bytes]", table))
            table.most = None
            size = sum(member.file_size for member in self._zip.infolist())
            if size > most_bytes:
                raise ArchiveTooLarge(most_bytes)
            if self._zip.getinfo(MANIFEST).file_size > MAX_MANIFEST_BYTES:
                raise ArchiveDamaged("its document.json is too large")
            self.manifest = Manifest.model_validate_json(self._zip.read(MANIFEST))
        self._check_parts()

    def check_original(self) -> None:
        """Raise `ArchiveDamaged` unless the original has the digest and length that the manifest says."""
        digest, length = hashlib.sha256(), 0
        with _damaged_otherwise(), self.original() as member:
            while piece := member.read(PIECE):
                digest.update(piece)
                length += len(piece)
        if (digest.hexdigest(), length) != (self.manifest.sha256, self.manifest.bytes):
            raise ArchiveDamaged("its original has not the digest that its document.json says")

    def original(self) -> BinaryIO:
        """The original to read from."""
        return cast("BinaryIO", self._zip.open(ORIGINAL))

    @contextmanager
    def sealed(self) -> Iterator[Sealed]:
        """The sealed embeddings, to be taken part by part; none if there are not as many as chunks."""
        if not self._has_embeddings():
            yield Sealed(None)
            return
        with self._zip.open(EMBEDDINGS) as member, io.BufferedReader(cast("io.RawIOBase", member), PIECE) as lines:
            yield Sealed(cast("IO[bytes]", lines))

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

    def part(self, number: int, sealed: Sequence[str]) -> tuple[bytes, bytes]:
        """A part's text and structure as the ledger keeps them, with `sealed`, the embeddings of its chunks."""
        told = self.manifest.parts[number]
        with _damaged_otherwise():
            text = self._whole(text_name(number)).decode()
            structure = _bounded_json(self._whole(structure_name(number)))
            if sealed:
                structure["plan"]["embeddings"] = list(sealed)
            saved = json.dumps(structure).encode()
            _, chunks = load(text, saved)
            _check_chunks(Part(number, "", "", **told.model_dump()), text, chunks)
            spans = [(chunk.start, chunk.end) for chunk in chunks]
            fits = all(0 <= start < end <= len(text) for start, end in spans) and spans == sorted(spans)
        if not fits or len(text) != told.chars or len(chunks) != told.chunks:
            raise ArchiveDamaged(f"its part {number} does not fit its text")
        return text.encode(), saved

    def _whole(self, name: str) -> bytes:
        """A member of a part."""
        if self._zip.getinfo(name).file_size > MAX_PART_BYTES:
            raise ArchiveDamaged(f"its {name} is too large")
        return self._zip.read(name)

    def _check_parts(self) -> None:
        start = first_chunk = 0
        done = 0.0
        for number, part in enumerate(self.manifest.parts):
            if (part.start, part.first_chunk) != (start, first_chunk) or part.done < done:
                raise ArchiveDamaged(f"its part {number} does not follow the one before")
            start += part.chars + len(PART_JOINT) if part.chars else 0
            first_chunk, done = first_chunk + part.chunks, part.done
        if self.manifest.parts and (done < 1 or not first_chunk):
            raise ArchiveDamaged("its parts are not the whole text")


def archived(part: Part) -> ArchivedPart:
    """A part of the ledger as an archive tells it."""
    return ArchivedPart(**{name: getattr(part, name) for name in ArchivedPart.model_fields})


def _bounded_json(content: bytes) -> Any:
    """What JSON says, if it doesn't say so many things that they would fill the memory."""
    if content.count(b"[") + content.count(b"{") > MAX_CONTAINERS or content.count(b",") > MAX_VALUES:
        raise ValueError("more lists and values than any plan has")
    return json.loads(content)


def _check_chunks(part: Part, text: str, chunks: list[Chunk]) -> None:
    """Raise `ValueError` unless the index would take these chunks."""
    if "\0" in text:
        raise ValueError("a text has no NUL in it")
    for each in as_inputs(part, text, chunks, part.first_chunk, part.first_chunk + len(chunks)):
        for words in (each.header, *each.heading_path):
            check_text(words)
            if "\0" in words:
                raise ValueError("a heading has no NUL in it")


class _damaged_otherwise(AbstractContextManager[None]):  # noqa: N801  # reads as a clause
    """Turns what an archive's damage raises into `ArchiveDamaged`."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        if isinstance(error, ArchiveDamaged | ArchiveTooLarge):
            return
        if isinstance(error, ValidationError) and error.title == Manifest.__name__:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise ArchiveDamaged(f"its document.json is wrong at {place}: {error.errors()[0]['msg']}") from None
        if isinstance(error, _DAMAGE):
            raise ArchiveDamaged("it is not a whole ZIP of a document as GET …/backup gives it") from None
