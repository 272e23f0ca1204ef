"""What is in a folder now: its documents by relative path, each with a mark that changes when its bytes may have."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from extraction.formats.catalog import media_type_of
from groundwork.client.transfers.files import is_empty_code, is_left_out


@dataclass(frozen=True)
class Mark:
    """What the file system says of a file without reading it."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int


@dataclass(frozen=True)
class Snapshot:
    """One look at a folder. Hidden files, types that the server does not read and empty source code are left out."""

    files: dict[str, Mark] = field(default_factory=dict)
    """By path below the folder, with `/` between its parts."""
    unreadable: frozenset[str] = frozenset()
    """Folders below it that could not be listed; what is in them is unknown, not gone."""

    def unknown(self, path: str) -> bool:
        """Whether a file may be there although it was not seen."""
        return any(str(parent) in self.unreadable for parent in PurePosixPath(path).parents)


def take(folder: Path) -> Snapshot:
    """Look at a folder and all below it; links to folders are not followed. It never raises for what it can't read."""
    files: dict[str, Mark] = {}
    unreadable: set[str] = set()

    def cannot(error: OSError) -> None:
        unreadable.add(Path(error.filename).relative_to(folder).as_posix())

    for here, folders, names in os.walk(folder, onerror=cannot):
        folders[:] = sorted(name for name in folders if not is_left_out(name))
        for name in sorted(names):
            file = Path(here, name)
            if is_left_out(name) or media_type_of(name) is None:
                continue
            if (mark := mark_of(file)) is not None and not is_empty_code(name, mark.size):
                files[file.relative_to(folder).as_posix()] = mark
    return Snapshot(files, frozenset(unreadable))


def mark_of(file: Path) -> Mark | None:
    """The mark of a regular file; None if there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Mark(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
