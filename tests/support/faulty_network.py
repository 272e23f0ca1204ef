"""What lies between a client and a server, in one thread: it can cut, hold up, slow down and answer with errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.support.ingest_peers import free_port, until

PIECE = 64 * 1024
ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/xml\r\nContent-Length: 67\r\n"
    b"Connection: close\r\n\r\n<Error><Code>InternalError</Code><Message>Broken.</Message></Error>"
)


@dataclass
class Network:
    """The way to one server."""

    target: int
    port: int = field(default_factory=free_port)
    is_cut: bool = False
    """Nothing comes through, and nobody is told."""
    errors: int = 0
    """How many of the next connections are answered with 500."""
    cut_after: int | None = None
    """Bytes of one connection's upload after which all connections break off."""
    pause: float = 0.0
    """Seconds before each piece goes on."""
    connections: int = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            if self.errors:
                self.errors -= 1
                await self._refuse(reader, writer)
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                await asyncio.gather(self._pass(reader, back, up=True), self._pass(there, writer, up=False))
            finally:
                back.close()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"100-continue" not in head and b"content-length:" in head:
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.write(ERROR)
        await writer.drain()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        sent = 0
        while piece := await reader.read(PIECE):
            while self.is_cut:  # noqa: ASYNC110  # set from another thread
                await asyncio.sleep(0.05)
            if self.pause:
                await asyncio.sleep(self.pause)
            sent += len(piece)
            if up and self.cut_after is not None and sent > self.cut_after:
                raise ConnectionResetError
            writer.write(piece)
            await writer.drain()
        if not up:
            raise ConnectionResetError  # the server is done with it


@contextmanager
def network_to(target: int) -> Iterator[Network]:
    """A way to the server on that port, sound to begin with."""
    network, listening = Network(target), threading.Event()
    stops: list[Callable[[], object]] = []

    async def serve() -> None:
        stopped = asyncio.Event()
        stops.append(partial(asyncio.get_running_loop().call_soon_threadsafe, stopped.set))
        server = await asyncio.start_server(network.carry, "127.0.0.1", network.port)
        listening.set()
        await stopped.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    until(listening.is_set, "the network listens")
    try:
        yield network
    finally:
        stops[0]()
        thread.join(10)
