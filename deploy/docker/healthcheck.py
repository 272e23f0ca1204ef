"""Docker's health check: asks this container's own service whether it is ready.

It runs every few seconds in every container, so it imports next to nothing.
"""

from __future__ import annotations

import os
import socket
import sys

DEFAULT_PORTS = {"gateway": 8080, "ingest": 8101, "retriever": 8102, "inference": 8103, "agent": 8104, "worker": 8105}
SECONDS = 4.0
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def main() -> int:
    """Exit status 0 when ready."""
    service = os.environ.get("GROUNDWORK_HEALTH", os.environ["GROUNDWORK_SERVICE"])
    try:
        with socket.create_connection(("127.0.0.1", DEFAULT_PORTS[service]), timeout=SECONDS) as connection:
            connection.sendall(REQUEST)
            status = connection.makefile("rb").readline()
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(status.decode("latin-1").strip())
    return 0 if status.split()[1:2] == [b"200"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
