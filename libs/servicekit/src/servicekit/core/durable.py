"""What is on the disk also after a power cut: the content of a file, and the name that a rename gave it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO


def to_disk(written: IO[bytes] | IO[str]) -> None:
    """Have the disk take what was written to an open file. Raises `OSError` where it can't."""
    written.flush()
    os.fsync(written.fileno())


def sync(place: Path) -> None:
    """Have the disk take a file that is closed, or a folder's names: a rename is there for good once its folder is.

    Raises `OSError` where it can't.
    """
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
