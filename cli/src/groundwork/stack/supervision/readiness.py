"""Starting every process of a home in a good order and waiting until each is able to do its job.

Inference takes longest and can't share a core without taking longer still, so it starts first and the others take turns
on the cores that are left.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from contracts.core.health import Health, PartState
from groundwork.stack.configuration.certificates import trusting
from groundwork.stack.home.errors import ConfigurationBroken, StartFailed, SupervisorFailed
from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.supervision.programs import Program
from groundwork.stack.supervision.supervisord import Supervisor

READY_SECONDS = 120.0
INTERVAL_SECONDS = 0.15
WAITING_SECONDS = 1.0
STARTING = "starting"
PROBE_SECONDS = 5.0
MAX_ENDS = 3
LOG_LINES = 15


@dataclass(frozen=True)
class Readiness:
    """Whether one process can do its job and, if not, what it waits for."""

    ready: bool
    detail: str
    parts: dict[str, PartState] = field(default_factory=dict)


Progress = Callable[[dict[str, Readiness], float], None]
"""Called after each look with what is known of each process, and the seconds since the start."""


def probe(program: Program, state: RunState, password: str = "") -> Readiness:
    """Ask one process."""
    port = state.ports[program.port]
    if program.name == "valkey":
        return _probe_valkey(port, password)
    return _probe_service(port, state.certificate if program.name == "gateway" else None)


def wait_until_ready(
    home: Home,
    started: Sequence[Program],
    state: RunState,
    supervisor: Supervisor,
    *,
    timeout: float = READY_SECONDS,
    progress: Progress | None = None,
) -> float:
    """Wait for all processes and return the seconds that it took.

    Raises `StartFailed` with the end of a process's log when the time is up, or as soon as a process has ended
    `MAX_ENDS` times.
    """
    began = time.monotonic()
    starts: dict[str, set[int]] = {program.name: set() for program in started}
    watch = _Watch(started, state, home.secret("redis.password"))
    with ThreadPoolExecutor(len(started)) as pool:
        for program in started:
            pool.submit(watch.follow, program)
        try:
            while waiting := watch.look(INTERVAL_SECONDS):
                seconds = time.monotonic() - began
                if progress is not None:
                    progress(dict(watch.known), seconds)
                _check_processes(home, supervisor, starts)
                if seconds > timeout:
                    detail = watch.known[waiting[0]].detail.rstrip(".")
                    why = f"was not ready within {timeout:.0f} s ({detail})"
                    raise _failed(home, waiting[0], why, f"A busy machine takes longer: --timeout {5 * timeout:.0f}.")
        finally:
            watch.end()
    return time.monotonic() - began


class _Watch:
    """Asks each process by itself until it is ready.

    Nothing listens yet: asked often, since that costs nothing. It answers that it waits for others: asked seldom, since
    that makes it ask the others, but at once when another has become ready.
    """

    def __init__(self, started: Sequence[Program], state: RunState, password: str) -> None:
        self.known = {program.name: Readiness(False, STARTING) for program in started}
        self._state = state
        self._password = password
        self._changed = threading.Condition()
        self._ended = False

    def follow(self, program: Program) -> None:
        """Ask one process until it is ready or the watch ends."""
        while True:
            found = probe(program, self._state, self._password)
            with self._changed:
                self.known[program.name] = found
                if found.ready:
                    self._changed.notify_all()
                if found.ready or self._ended:
                    return
                self._changed.wait(INTERVAL_SECONDS if found.detail == STARTING else WAITING_SECONDS)

    def look(self, seconds: float) -> list[str]:
        """Who is not ready, after at most so many seconds."""
        with self._changed:
            self._changed.wait(seconds)
            return [name for name, readiness in self.known.items() if not readiness.ready]

    def end(self) -> None:
        """Let every `follow` return."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _check_processes(home: Home, supervisor: Supervisor, starts: dict[str, set[int]]) -> None:
    """Raise `StartFailed` for a process that can't be expected to come up."""
    try:
        states = supervisor.processes()
    except SupervisorFailed:
        return  # not listening yet; the deadline bounds this
    for name, state in states.items():
        if state.started:
            starts[name].add(state.started)
        ended = len(starts[name]) - (state.state in ("STARTING", "RUNNING"))
        if state.state == "FATAL" or ended >= MAX_ENDS:
            raise _failed(home, name, f"ended {ended} times before it was ready")


def _failed(home: Home, name: str, why: str, mend: str = "") -> StartFailed:
    file = home.log_file(name)
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return StartFailed(name, why, "\n".join(lines[-LOG_LINES:]), file, mend)


def _probe_service(port: int, certificate: Path | None) -> Readiness:
    try:
        connection = _connection(port, certificate)
    except ConfigurationBroken as error:
        return Readiness(False, str(error))
    try:
        connection.request("GET", "/readyz")
        health = Health.model_validate_json(connection.getresponse().read())
    except ConnectionRefusedError:
        return Readiness(False, STARTING)
    except (OSError, http.client.HTTPException, ValidationError):
        return Readiness(False, "does not answer")
    finally:
        connection.close()
    failing = [f"{name}: {part.detail}" for name, part in health.parts.items() if not part.ok]
    return Readiness(health.status == "ok", "; ".join(failing) or "ready", health.parts)


def _connection(port: int, certificate: Path | None) -> http.client.HTTPConnection:
    if certificate is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=PROBE_SECONDS, context=trusting(certificate))


def _probe_valkey(port: int, password: str) -> Readiness:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (piece := connection.recv(256)):
                answer += piece
    except OSError:
        return Readiness(False, STARTING)
    pong = answer.endswith(b"+PONG\r\n")
    return Readiness(pong, "ready" if pong else "refuses the home's password")
