"""Which files a list of paths, folders and patterns means, and under which id each becomes a document."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from extraction.formats.catalog import CODE, media_type_of
from groundwork.errors import GroundworkError

LEFT_OUT = ("node_modules", "__pycache__")
"""Folders of others' code and of what is made from code, left out like hidden ones; their files can be named."""
_PATTERN = re.compile(r"[*?\[]")


class NoSuchFile(GroundworkError):
    """A path that was named does not exist."""


class NameUnusable(GroundworkError):
    """A file's name can't be sent."""


@dataclass(frozen=True)
class Found:
    """Files to ingest, in order and each once, and those in folders that are no documents or empty source code."""

    files: list[Path]
    skipped: list[Path]


def find_files(paths: Iterable[str]) -> Found:
    """Files as named, all in folders (hidden ones left out), and all that match patterns; raises `NoSuchFile`."""
    files: dict[Path, None] = {}
    skipped: dict[Path, None] = {}
    for path in paths:
        for file, named in _expand(path):
            taken = media_type_of(file.name) and not is_empty_code(file.name, _size(file))
            (files if named or taken else skipped)[file] = None
    return Found(list(files), list(skipped))


def is_empty_code(name: str, size: int | None) -> bool:
    """Whether a file of so many bytes is source code without any: an `__init__.py` is no document that failed."""
    return size == 0 and media_type_of(name) == CODE


def _size(file: Path) -> int | None:
    """In bytes; None where nobody can tell, which sending it will."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def check_name(path: str) -> None:
    """Raise `NameUnusable` for a path with bytes that are no text, or with control characters."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise NameUnusable("Its name has characters that can't be shown; rename it.")


def document_id(file: Path) -> str:
    """An id that stays the same as long as the file stays where it is, so that a changed file is a new revision.

    The file's name, for people, and a digest of its whole path, so that equal names in two folders stay apart.
    """
    resolved = file.resolve()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", resolved.name)[-100:]
    return f"{name}-{hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]}"


def _expand(text: str) -> Iterator[tuple[Path, bool]]:
    """Files, and whether each (or with a pattern, its kind) was named."""
    if not text:
        raise NoSuchFile("An empty path names nothing. Write . for the folder that you are in.")
    path = Path(text).expanduser()
    if path.is_dir():
        yield from _folder(path)
    elif path.is_file():
        yield path, True
    elif _PATTERN.search(text):
        try:
            matches = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        except ValueError as error:  # "docs/**.md"
            raise NoSuchFile(f"'{text}' is no pattern: {error}. Write for example docs/**/*.md.") from None
        if not matches:
            raise NoSuchFile(f"Nothing matches '{text}'.")
        kind_is_named = path.suffix != "" and not _PATTERN.search(path.suffix)
        for match in matches:
            yield from _folder(match) if match.is_dir() else ((match, kind_is_named),)
    else:
        raise NoSuchFile(f"There is no file or folder '{text}'.")


def _folder(folder: Path) -> Iterator[tuple[Path, bool]]:
    for file in sorted(folder.rglob("*")):
        left_out = any(is_left_out(part) for part in file.relative_to(folder).parts)
        if file.is_file() and not left_out:
            yield file, False


def is_left_out(name: str) -> bool:
    """Whether a file or folder below a folder that was named is none of what was meant."""
    return name.startswith(".") or name in LEFT_OUT
