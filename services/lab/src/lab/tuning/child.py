"""A process of its own that learns: whatever it loads is gone with it, and it can be ended at any time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import structlog

from lab.tuning.errors import LossNotFinite, TrainerDied, TrainingFailed

log = structlog.get_logger(__name__)
MOST_LINE = 1 << 20
LAST_WORDS = 4_000
"""Bytes of stderr that are kept, for the log."""
MEETING = "meeting"
"""The folder in a job's by which processes of one job meet (`lab.training.ranks`)."""
CLOSE_SECONDS = 5.0
"""How long stderr of a process that has ended may stay open: one that it started may hold it."""
Hear = Callable[[dict[str, Any]], Awaitable[None]]


async def run_child(module: str, folder: Path, hear: Hear, silent_seconds: float, processes: int = 1) -> None:
    """Run `python -m MODULE FOLDER`, which reads `job.json` there and writes lines of JSON, until it ends; as several
    processes by `torchrun`.

    A line with `failed` (a code) and `message` ends it with `TrainingFailed`; `hear` is given every other one. It is
    killed when this is cancelled, or says nothing for so long; and ends by itself where this process dies, which
    closes its stdin. Raises `TrainerDied` for any other end than a good one.
    """
    pipe = asyncio.subprocess.PIPE
    start = torchrun(folder, processes) if processes > 1 else (sys.executable,)
    command = (*start, "-m", module, str(folder))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=MOST_LINE, start_new_session=True
    )
    words = _LastWords()
    listening = asyncio.create_task(words.listen(process.stderr))
    try:
        await _follow(process, hear, silent_seconds)
        status = await process.wait()
        if status != 0:
            await asyncio.wait({listening}, timeout=CLOSE_SECONDS)
            raise TrainerDied(status)
    except (TrainerDied, TrainingFailed) as error:
        log.error("a trainer broke off", reason=str(error), words=words.text)
        raise
    finally:
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            _kill(process)
            await asyncio.shield(process.wait())
        listening.cancel()


def torchrun(folder: Path, processes: int) -> tuple[str, ...]:
    """The beginning of a command that has so many processes run a module, who meet by files of the job's folder.

    By itself torchrun has them meet by a store that listens on all interfaces, asks nobody who he is, and unpickles
    what it is given.
    """
    meeting = folder / MEETING
    shutil.rmtree(meeting, ignore_errors=True)  # of an attempt before this one
    meeting.mkdir(mode=0o700)
    by_file = ("--rdzv-backend", "c10d", "--rdzv-conf", "store_type=file", "--rdzv-endpoint", str(meeting / "torchrun"))
    several = ("--nnodes", "1", "--nproc-per-node", str(processes))
    no_store = ("env", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1")
    return (*no_store, sys.executable, "-m", "torch.distributed.run", *by_file, *several)


def _kill(process: asyncio.subprocess.Process) -> None:
    """With all that it has started, as torchrun does: its end is known once nobody has its pipes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _follow(process: asyncio.subprocess.Process, hear: Hear, silent_seconds: float) -> None:
    if process.stdout is None:
        raise TypeError("stdout is a pipe")
    while True:
        try:
            async with asyncio.timeout(silent_seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            log.error("a trainer says nothing", seconds=silent_seconds)
            _kill(process)
            return
        except ValueError:
            log.error("a trainer says too much at once")
            _kill(process)
            return
        if not line:
            return
        with contextlib.suppress(ValueError):  # a library's own words
            said = json.loads(line, parse_constant=_refuse)
            if isinstance(said, dict) and "failed" in said:
                raise TrainingFailed(str(said["failed"]), str(said.get("message", "")))
            if isinstance(said, dict) and "event" in said:
                await hear(said)


def _refuse(constant: str) -> NoReturn:
    raise LossNotFinite(constant)


class _LastWords:
    """The end of what a process writes on stderr; what came before is not kept."""

    def __init__(self) -> None:
        self._bytes = b""

    @property
    def text(self) -> str:
        return self._bytes.decode(errors="replace")

    async def listen(self, stderr: asyncio.StreamReader | None) -> None:
        while stderr is not None and (piece := await stderr.read(MOST_LINE)):
            self._bytes = (self._bytes + piece)[-LAST_WORDS:]
