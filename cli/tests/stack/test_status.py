from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from cli.tests.installation import PORTS, run_state
from cli.tests.supervisord_server import SupervisordServer, serving

from groundwork.stack import status
from groundwork.stack.home.errors import SupervisorFailed
from groundwork.stack.home.folder import Home
from groundwork.stack.supervision.programs import SERVICES
from groundwork.stack.supervision.readiness import Readiness

READY = Readiness(True, "ready")


@pytest.fixture
def home(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    home.create()
    monkeypatch.setattr(status, "probe", lambda program, state, password: READY)
    return home


def test_every_process_has_a_row_also_one_that_supervisord_does_not_know(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = SupervisordServer(tmp_path / "s", gateway="RUNNING", agent="FATAL")
    server.pids["gateway"] = os.getpid()
    monkeypatch.setattr(status, "supervisor_of", lambda _: psutil.Process())
    with serving(server):
        rows = {row.name: row for row in status.look(home, run_state(home, socket=tmp_path / "s"))}
    assert list(rows) == ["supervisord", "valkey", *(program.name for program in SERVICES)]
    assert (rows["gateway"].state, rows["gateway"].port) == ("RUNNING", PORTS["gateway"])
    assert rows["gateway"].memory.resident > 0
    assert (rows["agent"].state, rows["agent"].memory.resident) == ("FATAL", 0)
    assert (rows["worker"].state, rows["worker"].pid) == ("MISSING", 0)
    assert rows["supervisord"].memory.share > 0


def test_a_valkey_of_somebody_elses_has_no_row(home: Home, tmp_path: Path) -> None:
    state = run_state(home, socket=tmp_path / "s").model_copy(update={"redis": False})
    with serving(SupervisordServer(tmp_path / "s")):
        rows = status.look(home, state)
    assert [row.name for row in rows] == [program.name for program in SERVICES], "nor a supervisord that is gone"


def test_without_supervisords_answer_there_is_no_status(home: Home) -> None:
    with pytest.raises(SupervisorFailed):
        status.look(home, run_state(home))
