"""What lies between a client and a server: it can cut, break off, slow down and answer with errors."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PIECE = 64 * 1024
BODY = b"<Error><Code>InternalError</Code><Message>Broken.</Message></Error>"
ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/xml\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


@dataclass
class Network:
    """The way to one server, a thread for each direction of each connection."""

    target: int
    listener: socket.socket
    is_cut: bool = False
    """Nothing comes through, and nobody is told."""
    is_down: bool = False
    """Every connection is broken off, also one that was open."""
    errors: int = 0
    """How many of the next connections are answered with 500."""
    cut_after: int | None = None
    """Bytes of one connection's upload after which it breaks off."""
    pause: float = 0.0
    """Seconds before each piece goes on."""
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        """Where it begins."""
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The same as an address."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            if self.is_down:
                return
            if self.errors:
                self.errors -= 1
                _refuse(near)
                return
            with socket.create_connection(("127.0.0.1", self.target)) as far:
                back = threading.Thread(target=self._pass, args=(far, near, False), daemon=True)
                back.start()
                self._pass(near, far, True)
                back.join()

    def _pass(self, source: socket.socket, sink: socket.socket, is_up: bool) -> None:
        """All that comes from `source`; when that is over, so is the connection."""
        sent = 0
        with suppress(OSError):
            while piece := source.recv(PIECE):
                while self.is_cut and not self.ended.wait(0.05):
                    pass
                self.ended.wait(self.pause)
                sent += len(piece)
                if self.is_down or (is_up and self.cut_after is not None and sent > self.cut_after):
                    break
                sink.sendall(piece)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _refuse(near: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += _some(near)
    head, _, body = head.partition(b"\r\n\r\n")
    head = head.lower()
    if b"100-continue" not in head and b"content-length:" in head:
        left = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) - len(body)
        while left > 0:
            left -= len(_some(near))
    near.sendall(ERROR)


def _some(near: socket.socket) -> bytes:
    if not (piece := near.recv(PIECE)):
        raise ConnectionResetError
    return piece


@contextmanager
def network_to(target: int) -> Iterator[Network]:
    """A way to the server on that port, sound to begin with."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        network = Network(target, listener)
        serving = threading.Thread(target=network.serve, daemon=True)
        serving.start()
        try:
            yield network
        finally:
            network.ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            serving.join(60)
