"""What is said of a format in its one entry, and the registry of all entries.

Standard library only, and no parser is imported: the command line reads this, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Nesting = Literal["", "archives", "messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of documents: how one is told, and which module reads it."""

    media_type: str
    label: str
    """What people call it."""
    parser: str
    """A module with `read`, a `model.parser.Parser`; imported only when such a document is read."""
    suffixes: str = ""
    """Of its files' names, in small letters without the dot, with blanks between them."""
    names: str = ""
    """Whole names of its files that have no suffix, likewise."""
    declared: str = ""
    """Other media types that are said of it, likewise."""
    magic: bytes = b""
    """What its files begin with."""
    magic_window: int = 0
    """Bytes at the beginning in which the magic may stand anywhere; 0: it comes first."""
    folder: str = ""
    """Of Office packages, which are ZIP files: the folder that its members lie in, in small letters."""
    member: str = ""
    """Of other formats that are ZIP files: a member that each has, in small letters."""
    is_text: bool = False
    """Whether anyone sees of a file that nothing is in it; a PDF without text may be a scan."""
    diagnoses: bool = False
    """Whether its parser tells damage better than a look at the first bytes does."""
    nesting: Nesting = ""
    """Of documents that hold others: what is counted against their depth. The parser then also has `read_into`."""

    def begins(self, head: bytes) -> bool:
        """Whether a file that begins like this is one, as far as its magic tells."""
        return bool(self.magic) and self.magic in head[: self.magic_window or len(self.magic)]


class Registry:
    """Formats by what is known of a file. No two claim the same suffix, name or media type."""

    def __init__(self, formats: Iterable[Format]) -> None:
        self._formats: list[Format] = []
        for each in formats:
            self.add(each)

    def __iter__(self) -> Iterator[Format]:
        return iter(self._formats)

    def add(self, new: Format) -> None:
        """Register a format; raises `ValueError` where another has one of its suffixes, names or media types."""
        formats = [*self._formats, new]
        self._suffixes = _by_claim(formats, lambda each: each.suffixes.split())
        self._names = _by_claim(formats, lambda each: each.names.split())
        self._media_types = _by_claim(formats, lambda each: [each.media_type, *each.declared.split()])
        self._formats = formats

    def get(self, media_type: str) -> Format | None:
        """The format of a media type, be it its own or another that is said of it."""
        return self._media_types.get(media_type)

    def by_name(self, name: str) -> Format | None:
        """The format of a file with this name; null where the name tells of none."""
        base = name.rpartition("/")[2].lower()
        stem, _, suffix = base.rpartition(".")
        return (self._suffixes.get(suffix) if stem else None) or self._names.get(base)


def _by_claim(formats: Iterable[Format], claims: Callable[[Format], list[str]]) -> dict[str, Format]:
    """Each format under each of its claims."""
    found: dict[str, Format] = {}
    for each in formats:
        for claim in claims(each):
            if claim in found:
                raise ValueError(f"{each.label} and {found[claim].label} both claim '{claim}'")
            found[claim] = each
    return found
