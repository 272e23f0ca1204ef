"""A process of its own that learns: whatever it loads is gone with it, and it can be ended at any time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import structlog

from lab.tuning.errors import LossNotFinite, TrainerDied, TrainingFailed

log = structlog.get_logger(__name__)
MOST_LINE = 1 << 20
LAST_WORDS = 4_000
Hear = Callable[[dict[str, Any]], Awaitable[None]]


async def run_child(module: str, folder: Path, hear: Hear, silent_seconds: float) -> None:
    """Run `python -m MODULE FOLDER`, which reads `job.json` there and writes lines of JSON, until it ends.

    A line with `failed` (a code) and `message` ends it with `TrainingFailed`; `hear` is given every other one. It is
    killed when this is cancelled, or says nothing for so long; and ends by itself where this process dies, which
    closes its stdin. Raises `TrainerDied` for any other end than a good one.
    """
    with (folder / "stderr.log").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            str(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            limit=MOST_LINE,
        )
        try:
            await _follow(process, hear, silent_seconds)
            status = await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())
    if status != 0:
        words = await asyncio.to_thread(_last_words, folder / "stderr.log")
        log.error("a trainer died", status=status, words=words)
        raise TrainerDied(status)


async def _follow(process: asyncio.subprocess.Process, hear: Hear, silent_seconds: float) -> None:
    if process.stdout is None:
        raise TypeError("stdout is a pipe")
    while True:
        try:
            async with asyncio.timeout(silent_seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            log.error("a trainer says nothing", seconds=silent_seconds)
            process.kill()
            return
        except ValueError:
            log.error("a trainer says too much at once")
            process.kill()
            return
        if not line:
            return
        with contextlib.suppress(ValueError):  # a library's own words
            said = json.loads(line, parse_constant=_refuse)
            if isinstance(said, dict):
                if "failed" in said:
                    raise TrainingFailed(str(said["failed"]), str(said["message"]))
                await hear(said)


def _refuse(constant: str) -> NoReturn:
    raise LossNotFinite(constant)


def _last_words(file: Path) -> str:
    content = file.read_bytes()
    return content[-LAST_WORDS:].decode(errors="replace")
