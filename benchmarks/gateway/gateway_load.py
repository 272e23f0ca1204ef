"""The callers of `make bench-gateway`: as little work a request as Python can do, so as not to be what is measured."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import cast

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """Whom to call: a port, the request as bytes, and what the answer begins with."""

    port: int
    whole: bytes
    """A request for a whole answer."""
    stream: bytes
    """A request for a stream."""


@dataclass
class Measured:
    """Milliseconds to the first piece of the body and to its end, a request each; seconds of all; and what failed."""

    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failed: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.last) / self.seconds if self.seconds else 0.0


def quantile(values: Sequence[float], part: float) -> float:
    """The value that `part` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


class Connection(asyncio.Protocol):
    """One kept-alive connection; one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._done: asyncio.Future[bool] | None = None
        self._head = b""
        self._body = 0
        self._tail = b""
        self._length: int | None = None
        self._headed = False
        self.first_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """A request that has no answer yet has failed."""
        if self._done is not None and not self._done.done():
            self._done.set_result(False)

    async def ask(self, request: bytes) -> bool:
        """Send and wait for the whole answer; whether it was a 200."""
        assert self.transport is not None
        self._done = asyncio.get_running_loop().create_future()
        self._head, self._body, self._tail, self._length, self._headed, self.first_at = b"", 0, b"", None, False, 0.0
        self.transport.write(request)
        return await self._done

    def data_received(self, data: bytes) -> None:
        """Count the body until it is whole."""
        if not self._headed:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._headed, self._head = True, head
            length = _LENGTH.search(head)
            self._length = int(length[1]) if length else None
        if data and not self.first_at:
            self.first_at = time.perf_counter()
        self._body += len(data)
        self._tail = (self._tail + data)[-7:]
        whole = self._tail.endswith(b"\r\n0\r\n\r\n") if self._length is None else self._body >= self._length
        if whole and self._done is not None and not self._done.done():
            self._done.set_result(self._head.startswith(b"HTTP/1.1 200"))


async def connect(port: int) -> Connection:
    """A new connection."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def fresh(connection: Connection, port: int) -> Connection:
    """The connection, or another one if the server has closed it meanwhile."""
    closed = connection.transport is None or connection.transport.is_closing()
    return await connect(port) if closed else connection


async def one(connection: Connection, request: bytes, measured: Measured) -> None:
    """One request, its times noted."""
    began = time.perf_counter()
    if await connection.ask(request):
        measured.first.append((connection.first_at - began) * 1e3)
        measured.last.append((time.perf_counter() - began) * 1e3)
    else:
        measured.failed += 1


async def saturate(port: int, request: bytes, clients: int, count: int) -> Measured:
    """`count` requests by so many callers, each asking again as soon as it has its answer."""
    measured, left = Measured(), iter(range(count))
    connections = [await connect(port) for _ in range(clients)]

    async def caller(connection: Connection) -> None:
        for _ in left:
            connection = await fresh(connection, port)
            await one(connection, request, measured)

    await _timed(measured, [caller(connection) for connection in connections])
    _close(connections)
    return measured


async def pace(port: int, request: bytes, rate: float, count: int, clients: int = 64) -> Measured:
    """`count` requests at a fixed rate, whether the ones before are answered or not."""
    measured = Measured()
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    connections = [await connect(port) for _ in range(clients)]
    for connection in connections:
        free.put_nowait(connection)

    async def call() -> None:
        began = time.perf_counter()
        connection = await fresh(await free.get(), port)
        if await connection.ask(request):
            measured.last.append((time.perf_counter() - began) * 1e3)
        else:
            measured.failed += 1
        free.put_nowait(connection)

    async def arrivals() -> None:
        started, calls = time.perf_counter(), []
        for number in range(count):
            wait = started + number / rate - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            calls.append(asyncio.create_task(call()))
        await asyncio.gather(*calls)

    await _timed(measured, [arrivals()])
    _close(connections)
    return measured


async def _timed(measured: Measured, work: Sequence[Awaitable[None]]) -> None:
    started = time.perf_counter()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*work)
    measured.seconds = time.perf_counter() - started


def _close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        if connection.transport is not None:
            connection.transport.close()
