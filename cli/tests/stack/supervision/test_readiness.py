from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest
from cli.tests.installation import run_state
from cli.tests.supervisord_server import SupervisordServer, serving

from groundwork.stack.home.errors import StartFailed
from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.supervision import readiness
from groundwork.stack.supervision.programs import SERVICES, Program, programs
from groundwork.stack.supervision.readiness import Readiness, _check_processes, probe, wait_until_ready
from groundwork.stack.supervision.supervisord import Supervisor, _UnixConnection

READY, WAITING = Readiness(True, "ready"), Readiness(False, "agent: away")
BY_NAME = {program.name: program for program in SERVICES}
GATEWAY, AGENT = BY_NAME["gateway"], BY_NAME["agent"]


@pytest.fixture
def home(home: Home) -> Home:
    home.create()
    return home


@pytest.fixture
def valkey(home: Home) -> Program:
    return next(program for program in programs(home, with_valkey=True) if program.name == "valkey")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"+OK\r\n+PONG\r\n", Readiness(True, "ready")),
        (b"-WRONGPASS invalid\r\n-NOAUTH required\r\n", Readiness(False, "refuses the home's password")),
        (b"+OK\r\n", Readiness(False, "refuses the home's password")),
    ],
    ids=["pong", "another's", "broken off"],
)
def test_valkey_is_ready_once_it_takes_the_password_and_answers(
    home: Home, valkey: Program, monkeypatch: pytest.MonkeyPatch, answer: bytes, found: Readiness
) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(answer)
    theirs.shutdown(socket.SHUT_WR)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: ours)
    assert probe(valkey, run_state(home), "pass") == found
    with theirs:
        assert theirs.recv(100) == b"AUTH pass\r\nPING\r\n"


def test_valkey_that_does_not_listen_yet_is_starting(
    home: Home, valkey: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert probe(valkey, run_state(home), "pass").detail == "starting"


ABOUT = {"service": "agent", "version": "1"}
PARTS = {"redis": {"ok": True}, "gateway": {"ok": False, "detail": "away"}, "disk": {"ok": False, "detail": "full"}}


@pytest.mark.parametrize(
    ("body", "ready", "detail"),
    [
        (json.dumps({**ABOUT, "status": "ok"}), True, "ready"),
        (json.dumps({**ABOUT, "status": "unavailable", "parts": PARTS}), False, "gateway: away; disk: full"),
        ("<html>", False, "does not answer"),
    ],
    ids=["ready", "waits", "something else"],
)
def test_a_service_says_itself_what_it_waits_for(
    home: Home, monkeypatch: pytest.MonkeyPatch, body: str, ready: bool, detail: str
) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            self.send_response(200 if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    path = home.run / "s"
    monkeypatch.setattr(readiness, "_connection", lambda *_: _UnixConnection(path, 60.0))
    with serving(UnixStreamServer(str(path), Answer)):
        found = probe(AGENT, run_state(home))
    assert (found.ready, found.detail) == (ready, detail)


def test_a_service_that_does_not_listen_yet_is_starting(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.run / "s"
    monkeypatch.setattr(readiness, "_connection", lambda *_: _UnixConnection(path, 60.0))
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        assert probe(AGENT, run_state(home)) == Readiness(False, "starting")
    path.unlink()
    assert probe(AGENT, run_state(home)).detail == "does not answer"


def test_a_certificate_that_can_not_be_read_is_what_the_gateway_waits_for(home: Home, tmp_path: Path) -> None:
    state = run_state(home).model_copy(update={"certificate": tmp_path / "none.crt"})
    found = probe(GATEWAY, state)
    assert not found.ready
    assert "holds no certificate" in found.detail


@pytest.fixture
def server(home: Home) -> Iterator[SupervisordServer]:
    server = SupervisordServer(home.run / "s", inference="RUNNING", gateway="STOPPED", agent="STOPPED")
    with serving(server):
        yield server


@pytest.fixture
def state(home: Home) -> RunState:
    return run_state(home, socket=home.run / "s")


def test_each_process_is_waited_for(home: Home, state: RunState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while supervisord imports and doesn't answer; the gateway waits for the agent, which is ready later."""
    asked: list[str] = []

    def look(program: Program, *_: object) -> Readiness:
        asked.append(program.name)
        return WAITING if program is GATEWAY and asked.count("gateway") < 2 else READY

    monkeypatch.setattr(readiness, "probe", look)
    monkeypatch.setattr(readiness, "WAITING_SECONDS", 0.01)
    started = (BY_NAME["inference"], GATEWAY, AGENT)
    assert wait_until_ready(home, started, state, Supervisor(state.socket), timeout=60) >= 0
    assert sorted(asked) == ["agent", "gateway", "gateway", "inference"]


def test_who_is_not_ready_in_time_is_named_with_what_it_waits_for_and_the_end_of_its_log(
    home: Home, state: RunState, server: SupervisordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Readiness]] = []
    home.log_file("gateway").write_bytes(b"\xff\n" + b"".join(b"line %d\n" % number for number in range(40)))
    monkeypatch.setattr(readiness, "probe", lambda program, *_: WAITING if program is GATEWAY else READY)
    with pytest.raises(StartFailed, match=r"gateway was not ready within 0 s \((starting|agent: away)\)") as failed:
        wait_until_ready(
            home,
            (GATEWAY, AGENT, BY_NAME["inference"]),
            state,
            Supervisor(state.socket),
            timeout=0,
            progress=lambda known, _: shown.append(known),
        )
    assert failed.value.log.splitlines() == [f"line {number}" for number in range(25, 40)]
    assert set(shown[0]) == {"gateway", "agent", "inference"}
    assert "--timeout" in str(failed.value)


def test_a_process_that_ends_again_and_again_is_not_waited_for(
    home: Home, state: RunState, server: SupervisordServer
) -> None:
    supervisor, starts = Supervisor(state.socket), {name: set[int]() for name in server.states}
    server.states["gateway"] = "BACKOFF"
    starts["gateway"] = {1}
    _check_processes(home, supervisor, starts)  # twice so far: of these, the second is the server's own
    starts["gateway"] |= {2}
    with pytest.raises(StartFailed, match="gateway ended 3 times before it was ready"):
        _check_processes(home, supervisor, starts)


def test_a_process_that_can_not_be_started_at_all_is_told_at_once(
    home: Home, state: RunState, server: SupervisordServer
) -> None:
    server.states["agent"] = "FATAL"
    with pytest.raises(StartFailed, match="agent ended"):
        _check_processes(home, Supervisor(state.socket), {name: set() for name in server.states})


def test_a_supervisord_that_does_not_listen_yet_is_no_failure(home: Home, tmp_path: Path) -> None:
    _check_processes(home, Supervisor(tmp_path / "none"), {})
