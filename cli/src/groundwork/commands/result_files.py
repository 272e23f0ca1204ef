"""Files that results are written into."""

from __future__ import annotations

from pathlib import Path

from groundwork.errors import GroundworkError


class CannotWrite(GroundworkError):
    """A result has nowhere to go."""


def check_files(*files: Path | None) -> None:
    """Raise `CannotWrite` for one that can't be written, before anything is asked."""
    for file in files:
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            raise CannotWrite(f"'{file}' can't be written: its folder is not there, or it is a folder itself.")


def write_result(file: Path, content: str) -> None:
    """The whole file; raises `CannotWrite`."""
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"'{file}' can't be written: {error.strerror}.") from None
