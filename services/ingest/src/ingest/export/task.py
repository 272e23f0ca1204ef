"""The task of taking an archive apart in a child: what the archive holds, checked, as files of a folder.

`document.json` is there before the first line, and `original`. Then there is a line for each part, the SHA-256 of its
text and of its structure, once `N.text` and `N.json` are there. It imports little, so that it starts fast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ingest.export.archive import MANIFEST, MAX_EMBEDDED_BYTES, ORIGINAL, Archive

_END = b"}}"
"""Of a structure: the end of its plan, then its own."""


def run(source: Path, folder: Path, options: Mapping[str, Any]) -> Iterator[str]:
    """Take the archive at `source` apart; its parts are left out unless they are cut for `options["model"]`."""
    with source.open("rb") as file:
        yield from _run(file, folder, options)


def _run(file: IO[bytes], folder: Path, options: Mapping[str, Any]) -> Iterator[str]:
    archive = Archive(file, *(options[name] for name in ("max_archive_bytes", "max_text_chars", "max_header_chars")))
    with (folder / ORIGINAL).open("wb") as original:
        archive.write_original(original)
    (folder / MANIFEST).write_text(archive.manifest.model_dump_json())
    if archive.manifest.embedding_model != options["model"]:
        return
    with archive.encoded() as encoded:
        for number, part in enumerate(archive.manifest.parts):
            text, structure = archive.part(number)
            (folder / f"{number}.text").write_bytes(text)
            with (folder / f"{number}.json").open("w+b") as file:
                _write(file, structure, encoded.take(part.chunks))
                file.seek(0)
                yield f"{hashlib.sha256(text).hexdigest()} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _write(file: IO[bytes], structure: bytes, embeddings: Iterable[bytes]) -> None:
    """Write a structure with the embeddings in its plan, unless they are too large in all."""
    file.write(structure.removesuffix(_END))
    length = 0
    for encoded in embeddings:
        opened = b", " if length else b', "embeddings": ['
        length += len(encoded)
        if length <= MAX_EMBEDDED_BYTES:
            file.write(opened + encoded)
    if length > MAX_EMBEDDED_BYTES:
        file.seek(len(structure) - len(_END))
        file.truncate()
    elif length:
        file.write(b"]")
    file.write(_END)
