"""Office Open XML packages: the parts, relationships and properties that DOCX, PPTX and XLSX have in common."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from lxml import etree

from extraction.model.failures import ParseFailed, encrypted
from extraction.zips.reader import parsed, unpacked

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SCHEMAS = b"http://schemas.openxmlformats.org/"
_STRICT = b"http://purl.oclc.org/ooxml/"
_STRICT_NAMES = (
    (b"wordprocessingml/main", b"wordprocessingml/2006/main"),
    (b"presentationml/main", b"presentationml/2006/main"),
    (b"spreadsheetml/main", b"spreadsheetml/2006/main"),
    (b"drawingml/", b"drawingml/2006/"),
    (b"officeDocument/", b"officeDocument/2006/"),
)
RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_NO_TITLES = ("word document", "document", "untitled", "powerpoint presentation", "presentation", "slide 1")


@dataclass(frozen=True, slots=True)
class Relationship:
    """One part's reference to another, which may not be there."""

    kind: str
    """The last word of its type: `slide`, `chart`, `footnotes`."""
    target: str
    """The other part's name."""


class Package:
    """The parts of one file, by name, in any case of letters."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._entries = {entry.filename.replace("\\", "/").strip("/").lower(): entry for entry in archive.infolist()}

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name.lower() in self._entries

    def open(self, name: str) -> IO[bytes]:
        """A part's bytes as a stream; raises `KeyError`."""
        return self._archive.open(self._entries[name.lower()])

    def root(self, name: str) -> etree._Element:
        """A part's XML, in the namespaces of the transitional format; raises `KeyError`."""
        content = self._archive.read(self._entries[name.lower()])
        return parsed(transitional(content))

    def relationships(self, name: str) -> dict[str, Relationship]:
        """What a part refers to inside the package, by id; of the package itself for an empty name."""
        folder, _, file = name.rpartition("/")
        rels = posixpath.join(folder, "_rels", f"{file}.rels")
        if not self.has(rels):
            return {}
        return {
            link.get("Id", ""): Relationship(link.get("Type", "").rpartition("/")[2], _joined(folder, link))
            for link in self.root(rels)
            if link.get("TargetMode") != "External"
        }

    def related(self, name: str, kind: str) -> str | None:
        """The first part of a kind that a part refers to, if it is there."""
        found = (link.target for link in self.relationships(name).values() if link.kind == kind)
        return next((target for target in found if self.has(target)), None)

    def main(self) -> str:
        """The part that everything starts from; raises `KeyError`."""
        name = self.related("", "officeDocument")
        if name is None:
            raise KeyError("officeDocument")
        return name

    def title(self) -> str | None:
        """The title among the document's properties, unless it is what a program put there by itself."""
        name = self.related("", "core-properties")
        element = self.root(name).find(_TITLE) if name else None
        title = (element.text or "").strip() if element is not None else ""
        return title if title and title.lower() not in _NO_TITLES else None


@contextmanager
def package(path: Path, kind: str) -> Iterator[Package]:
    """The package at a path; raises `ParseFailed` if it is none, has a password, is damaged or would be too large."""
    with path.open("rb") as file:
        if file.read(len(OLE)) == OLE:
            raise _not_a_package(path)
    with unpacked(path, kind) as archive:
        yield Package(archive)


def transitional(content: bytes) -> bytes:
    """XML of the strict format in the names of the transitional one, which most programs write."""
    if _STRICT in content:
        for strict, usual in _STRICT_NAMES:
            content = content.replace(_STRICT + strict, _SCHEMAS + usual)
    return content


def _not_a_package(path: Path) -> ParseFailed:
    if ENCRYPTED in path.read_bytes():
        return encrypted("Office document")
    return ParseFailed("unsupported", "This is a file of an old Office version. Save it as DOCX, XLSX, PPTX or PDF.")


def _joined(folder: str, link: etree._Element) -> str:
    target = unquote(link.get("Target", "").replace("\\", "/").partition("#")[0])
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
