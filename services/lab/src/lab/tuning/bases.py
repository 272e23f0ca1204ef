"""The weights that a model is served with, fetched from inference once and kept by their digest."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from contracts.models.tuning import DIGEST_HEADER, MODEL_HEADER
from lab.tuning.errors import TrainingFailed
from servicekit.core.errors import is_disk_full
from servicekit.core.identifiers import new_id
from servicekit.peers.client import Peer, PeerMalformed

MOST_KEPT = 4
"""Files of weights; those that were used longest ago go."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Base:
    """What a model is served with."""

    weights: Path
    tokenizer: bytes
    digest: str
    """`sha256:…` of the weights."""


@dataclass(frozen=True, slots=True)
class Bases:
    """Fetches them."""

    inference: Peer
    folder: Path
    seconds: float = 120.0

    async def get(self, model: str, token: Callable[[], Awaitable[str]]) -> Base:
        """A model's; raises what inference says where it is none that can be tuned."""
        right = await token()
        try:
            async with self.inference.stream(
                "GET", _path(model, "weights"), token=right, timeout_seconds=self.seconds
            ) as answer:
                digest, name = answer.headers.get(DIGEST_HEADER, ""), answer.headers.get(MODEL_HEADER, model)
                if not _DIGEST.fullmatch(digest):
                    raise PeerMalformed(self.inference.name)
                file = self.folder / f"{digest.removeprefix('sha256:')}.gguf"
                if not file.is_file():
                    await self._download(answer.pieces(), file)
        except OSError as error:
            if is_disk_full(error):
                raise DISK_FULL from None
            raise
        await asyncio.to_thread(self._prune, file)
        tokenizer = (await self.inference.send("GET", _path(name, "tokenizer"), token=right)).body
        return Base(file, tokenizer, digest)

    async def _download(self, pieces: object, file: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = file.with_name(new_id("part"))
        seen = hashlib.sha256()
        try:
            with part.open("wb") as written:
                async for piece in pieces:  # type: ignore[attr-defined]
                    seen.update(piece)
                    await asyncio.to_thread(written.write, piece)
            if seen.hexdigest() != file.stem:
                raise PeerMalformed(self.inference.name)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def _prune(self, used: Path) -> None:
        used.touch()
        kept = sorted(self.folder.glob("*.gguf"), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in kept[MOST_KEPT:]:
            old.unlink(missing_ok=True)


def _path(model: str, what: str) -> str:
    return f"/v1/models/{quote(model, safe='')}/{what}"


DISK_FULL = TrainingFailed(
    "disk_full",
    "The disk of the lab is full, so that the job can't keep its state. Have the operator make room, and start it "
    "again.",
)
