"""Small secret files: written whole or not at all, and by one process only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from servicekit.core.durable import sync, to_disk


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Replace the file in one step; a reader sees the old content or the new."""
    temporary = _temporary(path, content, mode)
    temporary.replace(path)
    sync(path.parent)


def write_first(path: Path, content: bytes, mode: int) -> bytes:
    """Create the file unless another process was first; returns what the file holds, whoever wrote it."""
    temporary = _temporary(path, content, mode)
    try:
        path.hardlink_to(temporary)
        sync(path.parent)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_bytes()


def _temporary(path: Path, content: bytes, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the umask
        file.write(content)
        to_disk(file)
    return temporary
