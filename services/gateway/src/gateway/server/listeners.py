"""Several HTTP listeners in one process: they start together, and stop in order without cutting off what runs."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

from servicekit.core.settings import ServiceSettings
from servicekit.web.app import server_for

log = structlog.get_logger(__name__)
SIGNALS = (signal.SIGTERM, signal.SIGINT)
MOST_FILES = 65_536
FILES_A_CALL = 2
"""The client's connection and the one to an inner service."""
OTHER_FILES = 512
"""Idle connections, connections of other calls, files of the ledger."""


class Listener(uvicorn.Server):
    """A server that leaves signals to `serve_all`."""

    inherited: list[socket.socket] | None = None
    """A socket that listens already."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listener(
    app: ASGIApp,
    settings: ServiceSettings,
    host: str,
    port: int,
    inherited: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> Listener:
    """A listener for one app, on a port or on a socket that was inherited; with `tls`, for HTTPS alone."""
    made = Listener(server_for(app, settings, host=host, port=port, tls=tls).config)
    if inherited is not None:
        made.inherited = [socket.socket(fileno=inherited)]
    return made


async def serve_all(listeners: Sequence[Listener]) -> None:
    """Serve until SIGTERM or SIGINT; then stop the listeners in the given order, each when the one before is done.

    The order matters: what the first still answers may need the second. A listener that ends by itself, for instance
    because its port is taken, ends all.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    running = [asyncio.create_task(one.serve(one.inherited)) for one in listeners]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        until = loop.time() + max(one.config.timeout_graceful_shutdown or 0 for one in listeners)
        for one, task in zip(listeners, running, strict=True):
            one.config.timeout_graceful_shutdown = max(1, round(until - loop.time()))
            one.should_exit = True
            await asyncio.wait({task})
    finally:
        stopping.cancel()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    for task in running:
        task.result()


def raise_file_limit(open_calls: int) -> None:
    """Allow as many open files (sockets, above all) as the hard limit does, and warn where that is too few for so many
    open calls: shells and service managers allow 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    needed = FILES_A_CALL * open_calls + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning("too few open files are allowed for GATEWAY_OPEN_CALLS", allowed=soft, needed=needed)
