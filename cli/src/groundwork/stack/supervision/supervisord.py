"""supervisord: starting it, asking it, stopping it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import xmlrpc.client  # the peer is our own supervisord, on a socket that only this user can open
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundwork.stack.home.errors import SupervisorFailed
from groundwork.stack.home.folder import Home

CALL_SECONDS = 5.0
STOP_CALL_SECONDS = 40.0
"""Above what supervisord gives a process to end by itself."""
GROUP = "services"
"""The group that all processes but Valkey are in."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What supervisord says of one process."""

    name: str
    state: str
    """`STARTING`, `RUNNING`, `BACKOFF`, `STOPPING`, `STOPPED`, `EXITED` or `FATAL`."""
    pid: int
    started: int
    """When it was last started, in seconds since the epoch."""
    detail: str


class Supervisor:
    """The supervisord behind one socket."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket_path

    def processes(self) -> dict[str, ProcessState]:
        """Every process by name; raises `SupervisorFailed`."""
        return {
            info["name"]: ProcessState(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"],
                started=info["start"],
                detail=info["spawnerr"] or info["description"],
            )
            for info in self._call("getAllProcessInfo")
        }

    def start(self, name: str) -> None:
        """Start a process that has not been started yet; any other is left as it is."""
        try:
            self._call("startProcess", f"{GROUP}:{name}", False)
        except SupervisorFailed:
            if self.processes()[name].state == "STOPPED":
                raise

    def restart(self, name: str) -> None:
        """Stop a process as gently as it can be stopped, and start it again; answers when it has been started."""
        self._call("stopProcess", f"{GROUP}:{name}", True, seconds=STOP_CALL_SECONDS)
        self.start(name)

    def shutdown(self) -> None:
        """Stop all processes, Valkey last, then itself; answers before that is done."""
        self._call("shutdown")

    def _call(self, name: str, *arguments: object, seconds: float = CALL_SECONDS) -> Any:
        transport = _UnixTransport(self._socket, seconds)
        try:
            server: Any = xmlrpc.client.ServerProxy("http://supervisor", transport=transport)
            return getattr(server.supervisor, name)(*arguments)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorFailed(f"supervisord does not answer ({error}). Its log is logs/supervisord.log.") from None
        finally:
            transport.close()


def start_supervisor(home: Home, held: int, environment: Mapping[str, str]) -> None:
    """Start supervisord in the background on the home's settings, to hold a descriptor; raises `SupervisorFailed`.

    It gets nothing of our environment but what is given, which services find in effect when they import.
    """
    module = "groundwork.stack.supervision.preload"
    done = subprocess.run(  # noqa: S603  # our own interpreter and file
        [sys.executable, "-m", module, "--configuration", str(home.supervisor_settings)],
        env=dict(environment),
        pass_fds=(held,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        raise SupervisorFailed(f"supervisord did not start: {done.stdout.strip() or f'status {done.returncode}'}")


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, bounded in time. `close` it after the call."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__()
        self._path = path
        self._seconds = seconds
        self._opened: list[_UnixConnection] = []

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        self._opened.append(_UnixConnection(self._path, self._seconds))
        return self._opened[-1]

    def close(self) -> None:
        for connection in self._opened:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))
