"""Reading a document in a child process, so that a hostile one fails its own job and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import structlog

from ingest.parsing.failures import ParseFailed, crashed, timed_out, too_large
from ingest.parsing.formats import Limits
from ingest.parsing.structure import Extracted

log = structlog.get_logger(__name__)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
"""All that the child sees of ours: no settings, no secrets."""


@dataclass(frozen=True, slots=True)
class ParsingProcess:
    """Starts one child for each document and holds it to its limits."""

    limits: Limits
    seconds: float
    memory_bytes: int

    async def extract(self, source: Path, media_type: str) -> Extracted:
        """The text and structure of a file; raises `ParseFailed`. A cancelled call leaves no child behind."""
        with tempfile.TemporaryDirectory(prefix="groundwork-parse-") as folder:
            status = await self._run(source, Path(folder), media_type)
            return await asyncio.to_thread(_answer, Path(folder), status)

    async def _run(self, source: Path, folder: Path, media_type: str) -> int:
        options = {
            "media_type": media_type,
            "max_pages": self.limits.max_pages,
            "max_text_chars": self.limits.max_text_chars,
            "memory_bytes": self.memory_bytes,
            "seconds": self.seconds,
        }
        with (folder / "complaints").open("wb") as complaints:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                "ingest.parsing.child",
                str(source),
                str(folder),
                json.dumps(options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=complaints,
                env=ENVIRONMENT,
                cwd=folder,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(self.seconds):
                    return await process.wait()
            except TimeoutError:
                raise timed_out(self.seconds) from None
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    await asyncio.shield(process.wait())


def _answer(folder: Path, status: int) -> Extracted:
    failure = folder / "failure.json"
    if failure.is_file() and failure.stat().st_size:
        told = json.loads(failure.read_text())
        raise ParseFailed(told["code"], told["message"])
    structure = folder / "structure.json"
    if status == 0 and structure.is_file():
        text = (folder / "text").read_bytes().decode()
        return Extracted.from_json(text, json.loads(structure.read_text()))
    complaints = (folder / "complaints").read_bytes()[-800:].decode("utf-8", "replace")
    log.warning("parser died", status=status, complaints=complaints)
    if status in (-signal.SIGXCPU, -signal.SIGXFSZ) or "MemoryError" in complaints or "bad_alloc" in complaints:
        raise too_large()
    raise crashed()
