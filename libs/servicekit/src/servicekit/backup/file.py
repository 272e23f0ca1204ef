"""A backup of everything: one tar that is written as it is made and read as it comes, each service's members in a row.

A service's members are named `<service>/…`; its last one, `end.json`, says how many there were and the digest of all.
The tar's last member, `backup.json`, names the services. So whatever was cut off or damaged is known before it is used.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tarfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ValidationError

FORMAT = "groundwork-backup-1"
END = "end.json"
ABOUT = "backup.json"
PIECE = 256 * 1024
END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)


class BackupDamaged(Exception):
    """The file is no backup of this format, or not a whole one."""


class About(BaseModel):
    """The last member of a backup."""

    format: str
    version: str
    made_at: datetime
    services: list[str]


class PartWriter:
    """One service's members, as bytes of a tar. Use the results in order; `end` comes last."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._digest = hashlib.sha256()
        self._members = 0

    def member(self, name: str, content: bytes) -> bytes:
        """A member that is in memory."""
        self.count(name, hashlib.sha256(content).hexdigest())
        return framed(f"{self._service}/{name}", content)

    async def file(self, name: str, path: Path) -> AsyncIterator[bytes]:
        """A member that is on disk, in pieces; the file must not change meanwhile."""
        size = (await asyncio.to_thread(path.stat)).st_size
        digest, left = hashlib.sha256(), size
        yield _header(f"{self._service}/{name}", size)
        with await asyncio.to_thread(path.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, min(PIECE, left)):
                digest.update(piece)
                left -= len(piece)
                yield piece
        if left:
            raise OSError(f"{path} became shorter while it was read")
        self.count(name, digest.hexdigest())
        yield _padding(size)

    def end(self) -> bytes:
        """The member that vouches for all before it."""
        return framed(f"{self._service}/{END}", self.vouched())

    def vouched(self) -> bytes:
        """What that member says: how many there were, and the digest of all."""
        return json.dumps({"members": self._members, "sha256": self._digest.hexdigest()}).encode()

    def count(self, name: str, digest: str) -> None:
        """Take a member's digest into that of all."""
        self._members += 1
        self._digest.update(f"{name}\0{digest}\n".encode())


def framed(name: str, content: bytes) -> bytes:
    """A member of a tar."""
    return _header(name, len(content)) + content + _padding(len(content))


def about(version: str, made_at: datetime, services: Sequence[str]) -> bytes:
    """What follows the services' parts: their names, and the end of the tar."""
    content = About(format=FORMAT, version=version, made_at=made_at, services=list(services))
    return framed(ABOUT, content.model_dump_json().encode()) + END_OF_TAR


@dataclass(frozen=True, slots=True)
class BackupFile:
    """A backup on disk."""

    path: Path

    def check(self) -> About:
        """Read all of it; raises `BackupDamaged` unless it is whole."""
        checks: dict[str, PartWriter] = {}
        ended: set[str] = set()
        whole: About | None = None
        length = 0
        with self._opened() as tar:
            for entry in tar:
                service, _, name = entry.name.partition("/")
                if whole is not None:
                    raise BackupDamaged(f"'{entry.name}' stands behind its end")
                if not entry.isreg():
                    raise BackupDamaged(f"'{entry.name}' in it is no plain file")
                if entry.name == ABOUT:
                    whole = self._about(_content(tar, entry), ended)
                    length = entry.offset_data + entry.size + len(_padding(entry.size)) + len(END_OF_TAR)
                elif service in ended:
                    raise BackupDamaged(f"'{entry.name}' stands behind the end of its part")
                elif name == END:
                    if checks.setdefault(service, PartWriter(service)).vouched() != _content(tar, entry):
                        raise BackupDamaged(f"the part of {service} is not what was written")
                    ended.add(service)
                else:
                    checks.setdefault(service, PartWriter(service)).count(name, _digest(tar, entry))
        if whole is None:
            raise BackupDamaged("it ends too early")
        if self.path.stat().st_size > length:
            raise BackupDamaged("something stands behind its end")
        return whole

    def members(self, prefix: str) -> Iterator[tuple[str, IO[bytes]]]:
        """The members whose names begin so, without that; each is to be read before the next one is asked for."""
        with self._opened() as tar:
            for entry in tar:
                if entry.name.startswith(prefix) and entry.isfile():
                    content = tar.extractfile(entry)
                    assert content is not None
                    yield entry.name.removeprefix(prefix), content

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        try:
            with tarfile.open(self.path, "r:") as tar:
                yield tar
        except tarfile.TarError as error:
            raise BackupDamaged(str(error)) from None

    def _about(self, content: bytes, ended: set[str]) -> About:
        try:
            about = About.model_validate_json(content)
        except ValidationError:
            raise BackupDamaged(f"{ABOUT} can't be read") from None
        if about.format != FORMAT:
            raise BackupDamaged(f"its format is '{about.format}', not '{FORMAT}'")
        if missing := set(about.services) - ended:
            raise BackupDamaged(f"it lacks the part of {', '.join(sorted(missing))}")
        return about


def lines(rows: Sequence[Any]) -> bytes:
    """Rows as a member holds them."""
    return b"".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in rows)


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    return entry.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    content = tar.extractfile(entry)
    return b"" if content is None else content.read()


def _digest(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    digest, content = hashlib.sha256(), tar.extractfile(entry)
    while content is not None and (piece := content.read(PIECE)):
        digest.update(piece)
    return digest.hexdigest()
