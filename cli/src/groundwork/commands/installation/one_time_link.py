"""An address of this machine that sends the first who asks for it on to another address, and nobody after that.

A browser's command line can be read by everybody on the machine, for as long as the browser runs. So what signs in does
not stand there: it is made when the browser asks, and sent once.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

SPENT = b"This address is good once. Look at the terminal, or run `groundwork open` again.\n"
REQUEST_SECONDS = 5.0
"""For somebody who connects and asks nothing."""


class OneTimeLink(HTTPServer):
    """Listens on a free port of the loopback; `target` is called for the first that asks for `address`."""

    def __init__(self, target: Callable[[], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Redirect)
        self.path = f"/{secrets.token_urlsafe(16)}"
        self.address = f"http://127.0.0.1:{self.server_port}{self.path}"
        self._target: Callable[[], str] | None = target
        self.fault: Exception | None = None
        """Why the target could not be sent."""
        self.used = threading.Event()
        """Set once somebody has asked, and has the target or there is a fault."""

    def take(self) -> str | None:
        """The target, once."""
        target, self._target = self._target, None
        if target is None:
            return None
        sent = None
        try:
            sent = target()
        except Exception as error:  # noqa: BLE001  # raised by the thread that waits, in which the command runs
            self.fault = error
        self.used.set()
        return sent


class _Redirect(BaseHTTPRequestHandler):
    server: OneTimeLink
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        """Say where to go on."""
        target = self.server.take() if secrets.compare_digest(self.path.encode(), self.server.path.encode()) else None
        body = SPENT if target is None else b""
        self.send_response(404 if target is None else 303)
        if target is not None:
            self.send_header("Location", target)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing: the path is as good as the target."""


@contextmanager
def one_time_link(target: Callable[[], str]) -> Iterator[OneTimeLink]:
    """Listen until the block ends."""
    with OneTimeLink(target) as link:
        thread = threading.Thread(target=link.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield link
        finally:
            link.shutdown()
            thread.join()
