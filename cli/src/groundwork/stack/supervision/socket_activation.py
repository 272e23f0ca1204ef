"""The gateway's socket, which outlives the gateway: supervisord holds it, so that callers wait during a restart."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from groundwork.stack.home.errors import PortTaken

LOWEST = 200
"""Descriptors from here on are left open by supervisord, which closes those below `minfds` in its children."""
WAITING = 2048
"""Connections that may wait for a gateway."""


@contextmanager
def listening(host: str, port: int) -> Iterator[int]:
    """The descriptor of a socket that listens while somebody has it; raises `PortTaken`."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise PortTaken(port, f"another program ({error.strerror})", "gateway") from None
        listener.listen(WAITING)
        with socket.socket(fileno=fcntl.fcntl(listener, fcntl.F_DUPFD, LOWEST)) as held:
            yield held.fileno()
