"""The weights that a model is served with, fetched from inference once and kept by their digest."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from contracts.models.tuning import DIGEST_HEADER, MODEL_HEADER
from lab.tuning.errors import TrainingFailed
from servicekit.core.durable import sync, to_disk
from servicekit.core.errors import is_disk_full
from servicekit.core.identifiers import new_id
from servicekit.peers.client import Peer, PeerMalformed

MOST_KEPT = 4
"""Files of weights; those that were used longest ago go."""
IN_USE_SECONDS = 3600.0
"""What was asked for within this may not be opened yet by the job that it is for: it stays, whatever the number."""
ORPHANED_SECONDS = 900.0
"""A download that wrote nothing for so long died with its process: each piece of a living one comes in 120 s."""
SUFFIXES = {"chat": ".gguf", "embedding": ".safetensors", "reading": ".safetensors"}
"""Of files, by the kind of model."""
_PART = "part"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Base:
    """What a model is served with."""

    weights: Path
    tokenizer: bytes
    digest: str
    """`sha256:…` of the weights."""
    model: str
    """What it is called: another name than it was asked for by where that is `default`."""


@dataclass(frozen=True, slots=True)
class Bases:
    """Fetches them."""

    inference: Peer
    folder: Path
    seconds: float = 120.0

    async def get(
        self, model: str, token: Callable[[], Awaitable[str]], kind: Literal["chat", "embedding", "reading"] = "chat"
    ) -> Base:
        """A model's; raises what inference says where it is none that can be tuned."""
        right = await token()
        try:
            async with self.inference.stream(
                "GET", f"{_path(model, 'weights')}?kind={kind}", token=right, timeout_seconds=self.seconds
            ) as answer:
                digest, name = answer.headers.get(DIGEST_HEADER, ""), answer.headers.get(MODEL_HEADER, model)
                if not _DIGEST.fullmatch(digest):
                    raise PeerMalformed(self.inference.name)
                file = self.folder / f"{digest.removeprefix('sha256:')}{SUFFIXES[kind]}"
                if not await asyncio.to_thread(_is_whole, file):
                    await self._download(answer.pieces(), file)
        except OSError as error:
            if is_disk_full(error):
                raise DISK_FULL from None
            raise
        await asyncio.to_thread(self._prune)
        tokenizer = (await self.inference.send("GET", _path(name, "tokenizer"), token=right)).body
        return Base(file, tokenizer, digest, name)

    async def remove_orphans(self) -> None:
        """Delete what downloads left behind whose process was killed."""
        await asyncio.to_thread(self._remove_orphans)

    async def _download(self, pieces: object, file: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = file.with_name(new_id(_PART))
        seen = hashlib.sha256()
        try:
            with part.open("wb") as written:
                async for piece in pieces:  # type: ignore[attr-defined]
                    seen.update(piece)
                    await asyncio.to_thread(written.write, piece)
                await asyncio.to_thread(to_disk, written)
            if seen.hexdigest() != file.stem:
                raise PeerMalformed(self.inference.name)
            await asyncio.to_thread(_put, part, file)
        finally:
            part.unlink(missing_ok=True)

    def _prune(self) -> None:
        """A file that is gone already was removed by another process that shares the folder."""
        used = []
        for file in (one for one in self.folder.glob("*") if one.suffix in SUFFIXES.values()):
            with contextlib.suppress(FileNotFoundError):
                used.append((file.stat().st_mtime, file))
        before = time.time() - IN_USE_SECONDS
        for when, file in sorted(used, reverse=True)[MOST_KEPT:]:
            if when < before:
                file.unlink(missing_ok=True)

    def _remove_orphans(self) -> None:
        before = time.time() - ORPHANED_SECONDS
        for part in self.folder.glob(f"{_PART}_*"):
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < before:
                    part.unlink()


def _is_whole(file: Path) -> bool:
    """Whether it is there as its name, its digest, says; it counts as used then. One that is not is removed: a power
    cut, or a disk, has spoilt it."""
    try:
        os.utime(file)  # makes none where there is none, as `touch` does
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() == file.stem:
                return True
    except FileNotFoundError:
        return False
    file.unlink(missing_ok=True)
    return False


def _put(part: Path, file: Path) -> None:
    """In its place, also after a power cut."""
    part.replace(file)
    sync(file.parent)


def _path(model: str, what: str) -> str:
    return f"/v1/models/{quote(model, safe='')}/{what}"


DISK_FULL = TrainingFailed(
    "disk_full",
    "The disk of the lab is full, so that the job can't keep its state. Have the operator make room, and start it "
    "again.",
)
