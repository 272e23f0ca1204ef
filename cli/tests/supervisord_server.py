"""A supervisord in this process: the calls of its XML-RPC on a Unix socket, over states that a test sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import UnixStreamServer
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler


@contextmanager
def serving(server: UnixStreamServer) -> Iterator[None]:
    """Answer calls meanwhile."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class SupervisordServer(UnixStreamServer, SimpleXMLRPCDispatcher):
    """Processes by name with their states; `refuses` are those that can't be started."""

    def __init__(self, socket: Path, **states: str) -> None:
        SimpleXMLRPCDispatcher.__init__(self)
        UnixStreamServer.__init__(self, str(socket), _Handler)
        self.states = states
        self.pids: dict[str, int] = {}
        self.refuses: set[str] = set()
        self.calls: list[str] = []
        self.logRequests = False
        self.register_function(self.getAllProcessInfo, "supervisor.getAllProcessInfo")
        self.register_function(self.startProcess, "supervisor.startProcess")
        self.register_function(self.stopProcess, "supervisor.stopProcess")
        self.register_function(self.shutDown, "supervisor.shutdown")

    def getAllProcessInfo(self) -> list[dict[str, Any]]:  # noqa: N802  # supervisord's name
        """What it says of every process."""
        return [
            {
                "name": name,
                "group": "services",
                "statename": state,
                "pid": self.pids.get(name, 0),
                "start": 1_767_225_600 if state != "STOPPED" else 0,
                "spawnerr": "can't find command" if state == "FATAL" else "",
                "description": "pid 7, uptime 0:00:01" if state == "RUNNING" else "",
            }
            for name, state in self.states.items()
        ]

    def startProcess(self, name: Any, wait: Any) -> bool:  # noqa: N802  # supervisord's name
        """Start one that does not run."""
        self.calls.append(f"start {name} {wait}")
        _, _, process = name.partition(":")
        if process in self.refuses:
            raise Fault(50, f"SPAWN_ERROR: {process}")
        if self.states[process] != "STOPPED":
            raise Fault(60, f"ALREADY_STARTED: {process}")
        self.states[process] = "STARTING"
        return True

    def stopProcess(self, name: Any, wait: Any) -> bool:  # noqa: N802  # supervisord's name
        """Stop one."""
        self.calls.append(f"stop {name} {wait}")
        self.states[name.partition(":")[2]] = "STOPPED"
        return True

    def shutDown(self) -> bool:  # noqa: N802  # like its other calls; `shutdown` ends the server itself
        """Begin to end."""
        self.calls.append("shutdown")
        return True


class _Handler(SimpleXMLRPCRequestHandler):
    disable_nagle_algorithm = False  # a Unix socket has none
