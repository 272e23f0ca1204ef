"""ZIP archives: the members in the order of their names, each under a heading with its path."""

from __future__ import annotations

import re
import stat
import zipfile
from dataclasses import replace
from operator import itemgetter
from pathlib import Path, PurePosixPath

from extraction.containers.members import Allowance, Place, named, read_member
from extraction.model.document import Builder, Extracted
from extraction.model.failures import ParseFailed, is_damage
from extraction.model.limits import Limits
from extraction.model.parser import whole_file
from extraction.zips.reader import DAMAGE, unpacked

KIND = "ZIP archive"
_DRIVE = re.compile(r"[A-Za-z]:")
_LITTER = frozenset(("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".git", "__pycache__"))


def parse(path: Path, limits: Limits) -> Extracted:
    """All members as one document. Their pages count from 1 each, as in the file that a reader would open."""
    builder, allowance = Builder(), Allowance(limits)
    read_into(Place(builder, allowance, archives=1), path)
    return replace(builder.finish(None, allowance.pages or None), title=None)


read = whole_file(parse)


def read_into(place: Place, path: Path) -> None:
    """Put an archive's members in; nothing is ever written under the name of a member."""
    with unpacked(path, KIND) as archive:
        for name, entry in sorted(((_safe(entry), entry) for entry in archive.infolist()), key=itemgetter(0)):
            if entry.is_dir() or name.endswith("/") or not _LITTER.isdisjoint(name.split("/")):
                continue
            _member(place, archive, name, entry)


def _member(place: Place, archive: zipfile.ZipFile, name: str, entry: zipfile.ZipInfo) -> None:
    try:
        with archive.open(entry) as content:
            read_member(place, name, content)
    except DAMAGE as error:
        if not is_damage(error):
            raise
        raise named(ParseFailed("malformed", "This member of the archive is damaged."), name) from None


def _safe(entry: zipfile.ZipInfo) -> str:
    """A member's path; raises `malformed` for one that leads out of the archive, or is a link."""
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name) or ".." in PurePosixPath(name).parts:
        raise ParseFailed("malformed", f"This ZIP archive holds the unsafe path '{name[:200]}'. Pack it anew.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ParseFailed("malformed", f"This ZIP archive holds a link, '{name[:200]}'. Pack the files themselves.")
    return name
