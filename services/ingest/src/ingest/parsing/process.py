"""Reading a document in a child process, so that a hostile one fails its own job and nothing else."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from ingest.parsing.child import NOT_NOW
from ingest.parsing.children import Child, Children, NurseryLost
from ingest.parsing.failures import ParseFailed, crashed, timed_out, too_large
from ingest.parsing.formats import START, Limits
from ingest.parsing.parts import joined
from ingest.parsing.structure import Extracted, Resume
from ingest.parsing.versions import reading_version

log = structlog.get_logger(__name__)
SWEEP_FACTOR = 4
"""A folder that nothing was written to for so many times the longest parsing belongs to nobody."""


@dataclass(frozen=True, slots=True)
class ParsingProcess:
    """Starts one child for each document and holds it to its limits."""

    limits: Limits
    seconds: float
    memory_bytes: int
    scratch: Path | None = None
    """Where children leave parts that are not taken yet; null: the system's folder for temporary files."""
    children: Children = field(default_factory=Children)

    @property
    def version(self) -> str:
        """The reading version: as long as it is the same, what can't be read can't be read."""
        return reading_version(self.limits, self.memory_bytes)

    def close(self) -> None:
        """End what children come from."""
        self.children.close()

    def sweep(self) -> None:
        """Remove what workers that were killed have left behind."""
        if self.scratch is not None:
            for folder in self.scratch.iterdir():
                with suppress(FileNotFoundError):  # another worker's, gone meanwhile
                    if time.time() - folder.stat().st_mtime > SWEEP_FACTOR * self.seconds:
                        shutil.rmtree(folder, ignore_errors=True)

    async def parts(self, source: Path, media_type: str, resume: Resume = START) -> AsyncGenerator[Extracted, None]:
        """A file's parts as they are read; raises `ParseFailed`, also between parts. Close it: no child stays behind.

        The child does not wait for the caller: parts not taken yet lie on disk, all of them within the child's limits.
        """
        with tempfile.TemporaryDirectory(prefix="groundwork-parse-", dir=self.scratch) as name:
            folder = Path(name)
            async with self._child(source, folder, media_type, resume) as child:
                async for line in child.output:
                    yield await asyncio.to_thread(_taken, folder, int(line))
                status = await child.ended
            await asyncio.to_thread(self._check, folder, status)

    async def extract(self, source: Path, media_type: str) -> Extracted:
        """The text and structure of a whole file; raises `ParseFailed`."""
        async with aclosing(self.parts(source, media_type)) as parts:
            return joined([part async for part in parts])

    @asynccontextmanager
    async def _child(self, source: Path, folder: Path, media_type: str, resume: Resume) -> AsyncIterator[Child]:
        """A child that is killed when its time is over or the block ends."""
        options = {
            "media_type": media_type,
            "max_pages": self.limits.max_pages,
            "max_text_chars": self.limits.max_text_chars,
            "memory_bytes": self.memory_bytes,
            "seconds": self.seconds,
            "resume": asdict(resume),
        }
        with (folder / "complaints").open("wb") as complaints:
            async with self.children.child(source, folder, complaints.fileno(), options) as child:
                end = asyncio.get_running_loop().call_later(self.seconds, self._end, child, folder)
                try:
                    yield child
                finally:
                    end.cancel()

    def _end(self, child: Child, folder: Path) -> None:
        if not child.ended.done():
            (folder / OVERDUE).touch()
            self.children.kill(child)

    def _check(self, folder: Path, status: int) -> None:
        """Raise why there are no more parts, unless the document has come to its end."""
        if (folder / OVERDUE).exists():
            raise timed_out(self.seconds)
        failure = folder / "failure.json"
        if failure.is_file() and failure.stat().st_size:
            told = json.loads(failure.read_text())
            raise ParseFailed(told["code"], told["message"])
        if status == 0:
            return
        if status == NOT_NOW:
            raise NurseryLost
        complaints = (folder / "complaints").read_bytes()[-800:].decode("utf-8", "replace")
        log.warning("parser died", status=status, complaints=complaints)
        if status == -signal.SIGXCPU:
            raise timed_out(self.seconds)
        if status in OUT_OF_ROOM or "MemoryError" in complaints or "bad_alloc" in complaints:
            raise too_large()
        raise crashed()


OVERDUE = "overdue"
OUT_OF_ROOM = (-signal.SIGXFSZ, -signal.SIGABRT)
"""How children end at their limits of room: libraries written in C abort where they get no memory."""


def _taken(folder: Path, number: int) -> Extracted:
    """A part that the child has finished; its files are removed."""
    text, structure = folder / f"{number}.text", folder / f"{number}.json"
    part = Extracted.from_json(text.read_bytes().decode(), json.loads(structure.read_text()))
    text.unlink()
    structure.unlink()
    return part
