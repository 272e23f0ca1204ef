"""Children as their service sees them: started, read from, waited for and killed through their nursery."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

import structlog

from extraction.sandbox.fork_server import LARGEST_MESSAGE

log = structlog.get_logger(__name__)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
"""All that children see of ours: no settings, no secrets."""
INPUT = Path("/dev/stdin")
"""Opened there, a child's input is read from its beginning, whoever else reads it."""
IDLE_SECONDS = 60.0
"""A nursery that has nobody ends after this: it costs memory."""


class NurseryLost(Exception):
    """The process that children come from has ended, and they with it: no document's fault."""


@dataclass(slots=True)
class Child:
    """One that carries out a task."""

    number: int
    output: asyncio.StreamReader
    ended: asyncio.Future[int]
    """Its exit status, or minus the signal that ended it; `NurseryLost`."""


@dataclass(slots=True)
class _Nursery:
    """A nursery that runs."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    children: dict[int, Child] = field(default_factory=dict)
    idle: asyncio.TimerHandle | None = None


class Children:
    """Starts children, the first one with their nursery."""

    def __init__(self, preloaded: Sequence[str] = ()) -> None:
        """`preloaded` are the modules that the nursery imports."""
        self._preloaded = preloaded
        self._numbers = count()
        self._nursery: _Nursery | None = None

    @asynccontextmanager
    async def child(
        self, source: Path | IO[bytes], folder: Path, complaints: int, options: Mapping[str, Any]
    ) -> AsyncIterator[Child]:
        """A child of this block: killed when the block ends, and gone after it.

        A `source` that is an open file, which need have no name, is the child's input.
        """
        (folder / "options.json").write_text(json.dumps(options))
        nursery = self._open()
        number, loop = next(self._numbers), asyncio.get_running_loop()
        child = nursery.children[number] = Child(number, asyncio.StreamReader(), loop.create_future())
        reading, writing = os.pipe()
        pipe: Any = os.fdopen(reading, "rb", 0)
        try:
            path = source if isinstance(source, Path) else INPUT
            request = {"start": number, "source": str(path), "folder": str(folder)}
            given = _input(source)
            try:
                socket.send_fds(nursery.channel, [json.dumps(request).encode()], [given, writing, complaints])
            except OSError:
                self._lose(nursery)
            finally:
                os.close(given)
                os.close(writing)
            pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(child.output), pipe)
            yield child
        finally:
            self.kill(child)
            await asyncio.shield(asyncio.wait({child.ended}))
            pipe.close()
            child.ended.exception()

    def kill(self, child: Child) -> None:
        """End a child, if it has not ended."""
        if not child.ended.done() and self._nursery is not None:
            try:
                self._nursery.channel.send(json.dumps({"kill": child.number}).encode())
            except OSError:
                self._lose(self._nursery)

    @property
    def nursery_pid(self) -> int | None:
        """The process that children come from, while there is one."""
        return self._nursery.process.pid if self._nursery is not None else None

    def close(self) -> None:
        """End the nursery."""
        if self._nursery is not None:
            self._lose(self._nursery)

    def _open(self) -> _Nursery:
        if self._nursery is not None:
            if self._nursery.idle is not None:
                self._nursery.idle.cancel()
                self._nursery.idle = None
            return self._nursery
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(  # noqa: S603  # the modules are ours
                [sys.executable, "-I", "-m", "extraction.sandbox.fork_server", *self._preloaded],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        nursery = self._nursery = _Nursery(process, ours)
        asyncio.get_running_loop().add_reader(ours, self._hear, nursery)
        return nursery

    def _hear(self, nursery: _Nursery) -> None:
        try:
            message = nursery.channel.recv(LARGEST_MESSAGE)
        except OSError:
            message = b""
        if not message:
            self._lose(nursery)
            return
        told = json.loads(message)
        child = nursery.children.pop(told["ended"])
        child.ended.set_result(told["status"])
        if not nursery.children:
            nursery.idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_if_idle, nursery)

    def _end_if_idle(self, nursery: _Nursery) -> None:
        if not nursery.children:
            self._lose(nursery)

    def _lose(self, nursery: _Nursery) -> None:
        """The nursery is to end, or has ended."""
        if self._nursery is not nursery:
            return  # it was lost before
        self._nursery = None
        if nursery.idle is not None:
            nursery.idle.cancel()
        asyncio.get_running_loop().remove_reader(nursery.channel)
        nursery.channel.close()
        nursery.process.kill()
        nursery.process.wait()
        for child in nursery.children.values():
            if not child.ended.done():
                child.ended.set_exception(NurseryLost())
        if nursery.children:
            log.warning("the children's nursery was lost", children=len(nursery.children))
        nursery.children.clear()


def _input(source: Path | IO[bytes]) -> int:
    """The descriptor that a child has as its input; nothing where its source has a name."""
    return os.open(os.devnull, os.O_RDONLY) if isinstance(source, Path) else os.dup(source.fileno())
