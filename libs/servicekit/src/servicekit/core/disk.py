"""Room on the disk: a reserve that what would fill it leaves alone.

Uploads and chunks stop at the reserve, so that what is small (jobs, keys, threads, usage) can still be written, and so
that nobody writes into a file that is mapped into memory and has holes: where the disk has no room for a hole, the
system ends the process that writes there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from servicekit.core.errors import DiskFull
from servicekit.core.probes import Degraded

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """The disk under a folder, and how much of it is left alone."""

    folder: Path
    reserve_bytes: int

    @property
    def free_bytes(self) -> int:
        """What is free there; a folder that is not made yet is on its parent's disk."""
        folder = next(place for place in (self.folder, *self.folder.parents) if place.is_dir())
        return shutil.disk_usage(folder).free

    def has(self, more: int) -> bool:
        """Whether the reserve is still free after `more` bytes."""
        return not self.reserve_bytes or self.free_bytes - more >= self.reserve_bytes

    def check(self, more: int = 0) -> None:
        """Raise `DiskFull` unless the reserve is still free after `more` bytes."""
        if not self.has(more):
            raise DiskFull

    def check_small(self) -> None:
        """`check` for what takes little, such as a removal: it may use most of the reserve."""
        if self.free_bytes < self.reserve_bytes // 8:
            raise DiskFull

    async def probe(self) -> None:
        """Raise `Degraded` where the reserve is touched: searching and reading go on."""
        free = self.free_bytes
        if free < self.reserve_bytes:
            raise Degraded(
                f"Only {free // MEBIBYTE} MB are free on the disk of {self.folder.name}/, so that nothing more is "
                f"stored until {self.reserve_bytes // MEBIBYTE} MB are. Searching and reading go on."
            )
