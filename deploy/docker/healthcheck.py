"""Docker's health check: asks this container's own service whether it is ready.

It runs every few seconds in every container, so it imports next to nothing.
"""

from __future__ import annotations

import os
import socket
import sys

DEFAULT_PORTS = {
    "gateway": 8080,
    "ingest": 8101,
    "retriever": 8102,
    "inference": 8103,
    "agent": 8104,
    "lab": 8105,
    "worker": 8111,
}
SECONDS = 4.0
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def main() -> int:
    """Exit status 0 when ready."""
    service = os.environ.get("GROUNDWORK_HEALTH", os.environ["GROUNDWORK_SERVICE"])
    try:
        with _connected(DEFAULT_PORTS[service]) as connection:
            connection.sendall(REQUEST)
            status = connection.makefile("rb").readline()
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(status.decode("latin-1").strip())
    return 0 if status.split()[1:2] == [b"200"] else 1


def _connected(port: int) -> socket.socket:
    """To this very container, so a certificate proves nothing and is not looked at."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    if not (port == DEFAULT_PORTS["gateway"] and os.environ.get("GATEWAY_TLS_CERTIFICATE_FILE")):
        return connection
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection)


if __name__ == "__main__":
    raise SystemExit(main())
