"""Ports: which are free, who has one that is not, and how a home chooses its inner ones."""

from __future__ import annotations

import atexit
import secrets
import socket
from collections.abc import Mapping

import psutil

from groundwork.stack.home.errors import PortTaken

INNER_PORTS = range(20_000, 32_000)
"""Below the systems' ephemeral ranges, so that no outgoing connection takes one between two starts of a process."""
METRICS_PORT = 9464
NAMES = ("gateway", "model_plane", "metrics", "ingest", "worker", "retriever", "inference", "agent", "lab", "valkey")
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a process could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what listens is found, what only lingers is not
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def claim(port: int) -> bool:
    """Whether no other home that is being started has chosen this port. If so it is this process's until it ends.

    Seconds lie between a choice and the service that listens. The port's twin among UDP's, which nothing here uses, is
    held meanwhile: one holder on a machine, and none once its process is gone.
    """
    twin = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        twin.bind(("127.0.0.1", port))
    except OSError:
        twin.close()
        return False
    atexit.register(twin.close)
    return True


def owner(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    break
                process = psutil.Process(connection.pid)
                return f"'{' '.join(process.cmdline())[:80] or process.name()}' (process {connection.pid})"
    except (psutil.Error, PermissionError):
        pass
    return "another program"


def free_port(taken: set[int]) -> int:
    """A free inner port that is not in `taken`."""
    for _ in range(_ATTEMPTS):
        port = secrets.choice(INNER_PORTS)
        if port not in taken and is_free(port):
            return port
    raise PortTaken(INNER_PORTS[0], "other programs, like most ports up to 32000", "gateway")


def choose(gateway: int, fixed: Mapping[str, int]) -> dict[str, int]:
    """A port for each name. `gateway` 0 means any free one; `fixed` are the user's own choices.

    Raises `PortTaken` when a port that was asked for is not free.
    """
    ports = {name: port for name, port in {"gateway": gateway, **fixed}.items() if port}
    for name, port in ports.items():
        if not is_free(port):
            raise PortTaken(port, owner(port), name)
    if "metrics" not in ports and METRICS_PORT not in ports.values() and is_free(METRICS_PORT) and claim(METRICS_PORT):
        ports["metrics"] = METRICS_PORT
    for name in NAMES:
        if name not in ports:
            ports[name] = free_port(set(ports.values()))
    return ports
