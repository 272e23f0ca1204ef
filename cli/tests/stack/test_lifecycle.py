from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tests.installation import NOTHING, PORTS, has_ended, run_state

from groundwork.stack import lifecycle
from groundwork.stack.configuration.environment import RUN_MARK
from groundwork.stack.home.errors import Busy, HomeUnfinished, NoRoom, NotRunning, StartFailed, Unsupervised
from groundwork.stack.home.folder import Home


def test_a_start_on_a_disk_that_is_too_small_says_how_much_room_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "NEW_HOME_BYTES", 2**62)
    with pytest.raises(NoRoom, match="MB free, and a start needs 46116860184"):
        lifecycle.up(Home.at(tmp_path / "home"), port=0, overrides=NOTHING)
    assert not (tmp_path / "home").exists()


def test_a_home_with_all_its_data_needs_little_room(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "NEW_HOME_BYTES", 2**62)
    monkeypatch.setattr(lifecycle, "START_BYTES", 1)
    home.data("gateway").mkdir(parents=True)
    lifecycle.check_room(home)


def test_the_gateway_is_where_its_state_says() -> None:
    home = Home.at(Path("/nowhere"))
    plain = run_state(home)
    assert lifecycle.base_url(plain) == f"http://127.0.0.1:{PORTS['gateway']}"
    served = plain.model_copy(update={"certificate": Path("tls.crt")})
    assert lifecycle.Running(served, already=False, seconds=0).base_url == f"https://127.0.0.1:{PORTS['gateway']}"


def test_a_home_whose_restore_did_not_finish_is_not_started(home: Home) -> None:
    home.root.mkdir()
    home.restoring_file.write_text("backup.tar\n")
    with pytest.raises(HomeUnfinished, match=r"groundwork restore FILE"):
        lifecycle.up(home, port=0, overrides=NOTHING)
    assert [file.name for file in home.root.iterdir()] == ["restoring"]


def test_to_stop_what_was_never_started_is_nothing_and_makes_nothing(home: Home) -> None:
    assert lifecycle.down(home) is False
    assert not home.root.exists()
    home.create()
    assert lifecycle.down(home) is False
    with pytest.raises(NotRunning, match="groundwork up"):
        lifecycle.require_running(home)


def test_two_commands_do_not_stop_a_home_at_once(home: Home) -> None:
    home.create()
    with home.locked(), pytest.raises(Busy):
        lifecycle.down(home)


@pytest.fixture
def serving(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a home whose supervisord was killed."""
    run_id = os.urandom(8).hex()
    home.create()
    home.write_state(run_state(home, run_id))
    command = [sys.executable, "-I", "-S", "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={RUN_MARK: run_id}) as process:
        yield process
        process.kill()


def test_processes_without_their_supervisord_are_told_and_can_be_stopped(
    home: Home, serving: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(Unsupervised, match="1 of its processes still serve"):
        lifecycle.require_running(home)
    assert lifecycle.running_state(home) is None
    assert lifecycle.down(home) is True
    assert has_ended(serving.pid)
    assert not home.state_file.exists()
    assert lifecycle.down(home) is False


def test_of_what_a_start_left_behind_only_its_own_folders_go(home: Home, tmp_path: Path) -> None:
    home.create()
    for name, stays in (("groundwork-1", False), ("mine", True)):
        (tmp_path / name).mkdir()
        (home.run / "programs").mkdir()
        home.write_state(run_state(home, socket=tmp_path / name / "supervisor.sock"))
        assert lifecycle.down(home) is False, "nothing ran any more"
        assert (tmp_path / name).exists() is stays
        assert not (home.run / "programs").exists()


def test_a_start_that_fails_leaves_nothing_running(
    home: Home, serving: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = home.read_state()

    def fail(*_: object, **__: object) -> float:
        raise StartFailed("agent", "ended 3 times", "", "agent.log")

    monkeypatch.setattr(lifecycle, "running_state", lambda _: state)
    monkeypatch.setattr(lifecycle, "wait_until_ready", fail)
    with pytest.raises(StartFailed):
        lifecycle.up(home, port=0, overrides=NOTHING)
    assert has_ended(serving.pid)
    assert home.read_state() is None
