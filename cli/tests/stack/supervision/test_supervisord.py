from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tests.supervisord_server import SupervisordServer, serving

from groundwork.stack.home.errors import SupervisorFailed
from groundwork.stack.home.folder import Home
from groundwork.stack.supervision.supervisord import ProcessState, Supervisor, start_supervisor


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SupervisordServer]:
    server = SupervisordServer(tmp_path / "s", gateway="RUNNING", agent="STOPPED", worker="FATAL")
    server.pids["gateway"] = 7
    with serving(server):
        yield server


@pytest.fixture
def supervisor(server: SupervisordServer, tmp_path: Path) -> Supervisor:
    return Supervisor(tmp_path / "s")


def test_every_process_is_told_by_its_name_and_why_it_could_not_start(supervisor: Supervisor) -> None:
    processes = supervisor.processes()
    assert list(processes) == ["gateway", "agent", "worker"]
    assert processes["gateway"] == ProcessState("gateway", "RUNNING", 7, 1_767_225_600, "pid 7, uptime 0:00:01")
    assert processes["agent"].started == 0
    assert processes["worker"].detail == "can't find command"


def test_what_runs_already_is_not_started_again_and_no_error(server: SupervisordServer, supervisor: Supervisor) -> None:
    supervisor.start("gateway")
    supervisor.start("agent")
    assert server.states["gateway"] == "RUNNING"
    assert server.states["agent"] == "STARTING"


def test_what_can_not_be_started_is_an_error(server: SupervisordServer, supervisor: Supervisor) -> None:
    server.refuses.add("agent")
    with pytest.raises(SupervisorFailed, match="SPAWN_ERROR: agent"):
        supervisor.start("agent")


def test_a_restart_waits_for_the_end_and_then_starts(server: SupervisordServer, supervisor: Supervisor) -> None:
    supervisor.restart("gateway")
    assert server.calls == ["stop services:gateway True", "start services:gateway False"]
    assert server.states["gateway"] == "STARTING"


def test_a_shutdown_is_asked_for_once(server: SupervisordServer, supervisor: Supervisor) -> None:
    supervisor.shutdown()
    assert server.calls == ["shutdown"]


def test_a_supervisord_that_is_gone_is_told_with_where_its_log_is(tmp_path: Path) -> None:
    with pytest.raises(SupervisorFailed, match=r"does not answer .*logs/supervisord\.log"):
        Supervisor(tmp_path / "none").processes()


def test_a_supervisord_that_does_not_start_says_why(home: Home) -> None:
    home.create()
    held = os.open(os.devnull, os.O_RDONLY)
    try:
        with pytest.raises(SupervisorFailed, match=r"supervisord did not start: (?s:.*)supervisord\.conf"):
            start_supervisor(home, held, {})
    finally:
        os.close(held)
