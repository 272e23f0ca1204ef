"""Workers as their service sees them: started, read from, waited for and killed through their fork server."""

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
"""All that workers see of ours: no settings, no secrets."""
INPUT = Path("/dev/stdin")
"""Opened there, a worker's input is read from its beginning, whoever else reads it."""
IDLE_SECONDS = 60.0
"""A fork server that has no worker ends after this: it costs memory."""


class ForkServerLost(Exception):
    """The process that workers come from has ended, and they with it: no document's fault."""


@dataclass(slots=True)
class Worker:
    """One that carries out a task."""

    number: int
    output: asyncio.StreamReader
    ended: asyncio.Future[int]
    """Its exit status, or minus the signal that ended it; `ForkServerLost`."""


@dataclass(slots=True)
class _ForkServer:
    """A fork server that runs."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    workers: dict[int, Worker] = field(default_factory=dict)
    idle: asyncio.TimerHandle | None = None


class WorkerPool:
    """Starts workers, the first one with their fork server."""

    def __init__(self, preloaded: Sequence[str] = ()) -> None:
        """`preloaded` are the modules that the fork server imports."""
        self._preloaded = preloaded
        self._numbers = count()
        self._server: _ForkServer | None = None

    @asynccontextmanager
    async def worker(
        self, source: Path | IO[bytes], folder: Path, stderr: int, options: Mapping[str, Any]
    ) -> AsyncIterator[Worker]:
        """A worker of this block: killed when the block ends, and gone after it.

        A `source` that is an open file, which need have no name, is the worker's input.
        """
        (folder / "options.json").write_text(json.dumps(options))
        server = self._open()
        number, loop = next(self._numbers), asyncio.get_running_loop()
        worker = server.workers[number] = Worker(number, asyncio.StreamReader(), loop.create_future())
        reading, writing = os.pipe()
        pipe: Any = os.fdopen(reading, "rb", 0)
        try:
            path = source if isinstance(source, Path) else INPUT
            request = {"start": number, "source": str(path), "folder": str(folder)}
            given = _input(source)
            try:
                socket.send_fds(server.channel, [json.dumps(request).encode()], [given, writing, stderr])
            except OSError:
                self._lose(server)
            finally:
                os.close(given)
                os.close(writing)
            pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(worker.output), pipe)
            yield worker
        finally:
            self.kill(worker)
            await asyncio.shield(asyncio.wait({worker.ended}))
            pipe.close()
            worker.ended.exception()

    def kill(self, worker: Worker) -> None:
        """End a worker, if it has not ended."""
        if not worker.ended.done() and self._server is not None:
            try:
                self._server.channel.send(json.dumps({"kill": worker.number}).encode())
            except OSError:
                self._lose(self._server)

    @property
    def fork_server_pid(self) -> int | None:
        """The process that workers come from, while there is one."""
        return self._server.process.pid if self._server is not None else None

    def close(self) -> None:
        """End the fork server."""
        if self._server is not None:
            self._lose(self._server)

    def _open(self) -> _ForkServer:
        if self._server is not None:
            if self._server.idle is not None:
                self._server.idle.cancel()
                self._server.idle = None
            return self._server
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(  # noqa: S603  # the modules are ours
                [sys.executable, "-I", "-m", "extraction.sandbox.fork_server", *self._preloaded],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        server = self._server = _ForkServer(process, ours)
        asyncio.get_running_loop().add_reader(ours, self._receive, server)
        return server

    def _receive(self, server: _ForkServer) -> None:
        try:
            message = server.channel.recv(LARGEST_MESSAGE)
        except OSError:
            message = b""
        if not message:
            self._lose(server)
            return
        ended = json.loads(message)
        worker = server.workers.pop(ended["ended"])
        worker.ended.set_result(ended["status"])
        if not server.workers:
            server.idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_if_idle, server)

    def _end_if_idle(self, server: _ForkServer) -> None:
        if not server.workers:
            self._lose(server)

    def _lose(self, server: _ForkServer) -> None:
        """The fork server is to end, or has ended."""
        if self._server is not server:
            return  # it was lost before
        self._server = None
        if server.idle is not None:
            server.idle.cancel()
        asyncio.get_running_loop().remove_reader(server.channel)
        server.channel.close()
        server.process.kill()
        server.process.wait()
        for worker in server.workers.values():
            if not worker.ended.done():
                worker.ended.set_exception(ForkServerLost())
        if server.workers:
            log.warning("the fork server was lost", workers=len(server.workers))
        server.workers.clear()


def _input(source: Path | IO[bytes]) -> int:
    """The descriptor that a worker has as its input; nothing where its source has a name."""
    return os.open(os.devnull, os.O_RDONLY) if isinstance(source, Path) else os.dup(source.fileno())
