"""Folders of models that are made of one file, once: converted when the model is first loaded, or before.

`python -m inference.catalog.converted PACKAGE FILE --into DIR` makes one where who serves later may not write, as in an
image.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from inference.catalog.e5_file import NotE5, convert_e5
from inference.catalog.packages import package_folder
from inference.errors import CannotLoad, FileInvalid
from servicekit.core.durable import sync

Convert = Callable[[Path, Path], None]
"""Of a file, into an empty folder."""
VERSION = 1  # raise it when a conversion's output changes
STAMP = "conversion.json"


def converted_folder(into: Path, package: str, file: Path, sha256: str) -> Path:
    """The folder in `into` with the model that a package has in `file`, whose digest was checked; made if it is not
    there. Raises `CannotLoad`.
    """
    target = into / f"{package}-{sha256[:16]}"
    try:
        convert_once(target, file, convert_e5)
    except NotE5 as error:
        raise FileInvalid(str(error)) from None
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotLoad(
            f"{file.name} can't be converted into {into} ({why}). Let inference write there "
            f"(INFERENCE_MODELS_DIR), or run before: python -m inference.catalog.converted {package} {file.name} "
            f"--into {into}"
        ) from None
    return target


def convert_once(target: Path, source: Path, convert: Convert) -> bool:
    """Make the folder `target` of `source` unless it is there and current; whether there was anything to do.

    Atomic: the folder appears whole or not at all, also when the power fails. Of two processes the second waits.
    """
    stamp: dict[str, object] = {"version": VERSION, "file": source.name, "bytes": source.stat().st_size}
    if _is_current(target, stamp):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(target.parent):
        if _is_current(target, stamp):
            return False
        for left in target.parent.glob(f".{target.name}-*"):  # by one that was killed
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            convert(source, making)
            (making / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
            making.chmod(0o755)
            for path in making.rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)
                sync(path)
            _put_in_place(making, target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return True


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process and thread at a time; the lock ends with whoever holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_current(target: Path, stamp: dict[str, object]) -> bool:
    try:
        return bool(json.loads((target / STAMP).read_text(encoding="utf-8")) == stamp)
    except (OSError, ValueError):
        return False


def _put_in_place(made: Path, target: Path) -> None:
    if target.exists():
        outdated = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        target.rename(outdated / "old")
        shutil.rmtree(outdated, ignore_errors=True)
    made.rename(target)
    sync(target.parent)


def main() -> int:
    """Convert a package's file; print one line."""
    parser = argparse.ArgumentParser(prog="python -m inference.catalog.converted", description=main.__doc__)
    parser.add_argument("package")
    parser.add_argument("file")
    parser.add_argument("--into", type=Path, required=True, help="folder of converted models (INFERENCE_MODELS_DIR)")
    given = parser.parse_args()
    started = time.monotonic()
    try:
        file = package_folder(given.package) / given.file
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        folder = converted_folder(given.into, given.package, file, digest)
    except (CannotLoad, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command's own output
        return 1
    print(f"{given.file}: {folder} ({time.monotonic() - started:.1f} s)")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
