from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli.tests.installation import run_state
from cli.tests.terminal import output, run, sentence

from groundwork.stack import lifecycle, status
from groundwork.stack.home.errors import StartFailed
from groundwork.stack.home.folder import Home
from groundwork.stack.lifecycle import Running
from groundwork.stack.status import Row
from groundwork.stack.supervision.processes import Memory
from groundwork.stack.supervision.readiness import Readiness

READY = Readiness(True, "ready")


def test_down_without_anything_running_is_no_error() -> None:
    assert "Nothing runs in" in output("down")


def test_a_home_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "File exists" in sentence("--home", str(tmp_path / "file"), "up")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Starts that succeed at once: what each was told."""
    calls: list[dict[str, Any]] = []

    def up(home: Home, **told: Any) -> Running:
        told["progress"]({"gateway": READY, "agent": Readiness(False, "starting")}, 0.5)
        calls.append(told)
        home.create()
        home.admin_key_file.write_text("gw_first\n")
        return Running(run_state(home), already=len(calls) > 1, seconds=1.5)

    monkeypatch.setattr(lifecycle, "up", up)
    return calls


def test_the_first_start_shows_the_key_and_a_second_does_not(started: list[dict[str, Any]]) -> None:
    first, second = output("up"), output("up")
    assert "Groundwork is ready at http://127.0.0.1:21000 (1.5 s)\nAdmin key, made now: gw_first\n" in first
    assert "Groundwork runs already at http://127.0.0.1:21000\n" in second
    assert "gw_first" not in second


def test_a_port_of_zero_on_the_command_line_wins_over_the_setting(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDWORK_PORT", "9000")
    output("up", "--port", "0")
    output("up", "--timeout", "7")
    assert [(told["port"], told["timeout"]) for told in started] == [(0, 120.0), (9000, 7.0)]


def test_a_start_that_fails_shows_the_end_of_the_log_and_where_the_whole_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Running:
        raise StartFailed("agent", "ended 3 times", "ValueError: [no] :smile:", "/logs/agent.log")

    monkeypatch.setattr(lifecycle, "up", fail)
    said = sentence("up")
    assert said.startswith("ValueError: [no] :smile: agent ended 3 times.")
    assert said.endswith("its whole log is /logs/agent.log.")


@pytest.mark.parametrize("agent", [READY, Readiness(False, "gateway: does not answer")], ids=["ready", "not ready"])
def test_the_status_shows_each_process_and_by_its_exit_status_whether_all_are_ready(
    monkeypatch: pytest.MonkeyPatch, agent: Readiness
) -> None:
    rows = [
        Row("supervisord", 7, "RUNNING", 0, Memory(5_400_000), READY),
        Row("agent", 0, "BACKOFF", 21_007, Memory(), agent),
    ]
    monkeypatch.setattr(lifecycle, "require_running", run_state)
    monkeypatch.setattr(status, "look", lambda home, state: rows)
    done = run("status")
    assert done.exit_code == (0 if agent.ready else 1)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["supervisord", "7", "running", "5", "MB", "yes"] in lines
    state = ["running"] if agent.ready else ["backoff"]
    assert ["agent", *state, "21007", *("yes" if agent.ready else agent.detail).split()] in lines
