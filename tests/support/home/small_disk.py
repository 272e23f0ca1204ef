"""A disk of a test's own that is soon full: an ext4 image where the test may mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEBIBYTE = 1 << 20


class SmallDisk:
    """A folder with little room, and a file that takes what is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @property
    def free_bytes(self) -> int:
        """What is left."""
        return shutil.disk_usage(self.folder).free

    def fill(self, leave: int = 0) -> None:
        """Take all but so many bytes; with 0, to the last one."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while (wanted := self.free_bytes - leave) > 0 or not leave:
                file.write(bytes(min(max(wanted, 512), MEBIBYTE)))

    def empty(self) -> None:
        """Give that room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(image: Path, mebibytes: int) -> Iterator[SmallDisk | None]:
    """A disk of this size, mounted while the block lasts; null where this user may not mount one."""
    folder = image.with_suffix(".mounted")
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(mebibytes * MEBIBYTE)
    if not (_run("mkfs.ext4", "-q", "-m", "0", str(image)) and _run("mount", "-o", "loop", str(image), str(folder))):
        yield None
        return
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> bool:
    if os.geteuid() != 0 or shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0  # ours
