"""Documents within a document: an archive's members, a message's attachments, each read by its own parser.

One that can't be read fails the whole with its own code and its name in the message: a document that is "ready" without
a part of it would be found out by nobody. What holds no text by its kind is left out: pictures, sound, video, fonts,
signatures, what operating systems leave behind, and empty files.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import IO

from extraction.formats.catalog import FORMATS
from extraction.formats.detection import HEAD, Received, detect, is_textless
from extraction.formats.format import Nesting
from extraction.formats.reader import extract
from extraction.model.document import Builder
from extraction.model.failures import ParseFailed, too_large, too_many_pages
from extraction.model.limits import Limits

MAX_MEMBERS = 5_000
MAX_EXPANDED = 1 << 30
"""Bytes of all members of all levels together."""
MAX_ARCHIVES = 2
"""An archive and those directly in it."""
MAX_MESSAGES = 6
"""A message, the one forwarded in it, and so on."""
PIECE = 1 << 20


@dataclass(slots=True)
class Allowance:
    """What all members of one document may still cost together."""

    limits: Limits
    members: int = MAX_MEMBERS
    expanded: int = MAX_EXPANDED
    pages: int = 0
    """Read so far."""

    def take_member(self) -> None:
        """Count one more member."""
        self.members -= 1
        if self.members < 0:
            raise too_large()

    def take_bytes(self, count: int) -> None:
        """Count bytes before they are kept."""
        self.expanded -= count
        if self.expanded < 0:
            raise too_large()

    def take_pages(self, count: int) -> None:
        """Count a member's pages."""
        self.pages += count
        if self.pages > self.limits.max_pages:
            raise too_many_pages(self.pages, self.limits.max_pages)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the nesting the reader is."""

    builder: Builder
    allowance: Allowance
    archives: int = 0
    messages: int = 0
    level: int = 0
    """Of the heading that everything here stands under."""

    def within(self, title: str, nesting: Nesting = "") -> Place:
        """One level deeper, under a heading; raises `too_large` where that is too deep."""
        deeper = replace(
            self,
            level=self.level + 1,
            archives=self.archives + (nesting == "archives"),
            messages=self.messages + (nesting == "messages"),
        )
        if deeper.archives > MAX_ARCHIVES or deeper.messages > MAX_MESSAGES:
            raise too_large()
        self.builder.heading(title, deeper.level)
        return deeper


def read_member(place: Place, name: str, content: IO[bytes], declared: str = "") -> None:
    """Read one member under a heading with its name; raises `ParseFailed`, whose message names it."""
    place.allowance.take_member()
    with tempfile.TemporaryDirectory(prefix="groundwork-member-") as folder:
        path = Path(folder) / "member"
        try:
            received = _saved(path, name, content, declared, place.allowance)
            if received.head and not is_textless(received):
                _read(place, name, path, detect(received))
        except ParseFailed as failure:
            raise named(failure, name) from None


def named(failure: ParseFailed, name: str) -> ParseFailed:
    """The failure of a part, as the failure of the whole."""
    return ParseFailed(failure.code, f"In '{name[:200]}': {failure.message}")


def _read(place: Place, name: str, path: Path, media_type: str) -> None:
    format_ = FORMATS.get(media_type)
    if format_ is not None and format_.nesting:
        import_module(format_.parser).read_into(place.within(name, format_.nesting), path)
        return
    limits = replace(
        place.allowance.limits, max_text_chars=max(place.allowance.limits.max_text_chars - place.builder.length, 0)
    )
    try:
        document = extract(path, media_type, limits)
    except ParseFailed as failure:
        if failure.code == "no_text" and format_ is not None and format_.is_text:
            return
        raise
    place.allowance.take_pages(document.pages or 0)
    inner = place.within(name)
    place.builder.include(document, inner.level)


def _saved(path: Path, name: str, content: IO[bytes], declared: str, allowance: Allowance) -> Received:
    head, tail, has_nul = b"", b"", False
    with path.open("wb") as file:
        while piece := content.read(PIECE):
            allowance.take_bytes(len(piece))
            file.write(piece)
            head = head or piece[:HEAD]
            tail = (tail + piece[-HEAD:])[-HEAD:]
            has_nul = has_nul or b"\0" in piece
    return Received(head, tail, has_nul, name, declared)
