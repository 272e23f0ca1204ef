from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cli.tests.installation import PORTS, mode

from groundwork.stack.home.errors import Busy
from groundwork.stack.home.folder import Home, RunState


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path / "a home with 100% odd 'characters'")
    home.create()
    return home


def test_a_secret_is_random_and_stays(home: Home, tmp_path: Path) -> None:
    other = Home.at(tmp_path / "other")
    other.create()
    assert home.secret("redis.password") == home.secret("redis.password") != other.secret("redis.password")


def test_a_deep_home_gets_its_socket_where_paths_are_short(tmp_path: Path) -> None:
    deep = Home.at(tmp_path / "x" / ("y" * 100))
    path = deep.socket_path()
    try:
        assert len(str(path)) < 100
        assert mode(path.parent) == 0o700
    finally:
        path.parent.rmdir()


def test_only_one_command_works_on_a_home_at_a_time(home: Home) -> None:
    with home.locked(), pytest.raises(Busy, match="Another"), home.locked():
        pass


def test_the_run_state_survives_and_a_broken_one_counts_as_none(home: Home) -> None:
    state = RunState(run_id="r", started_at=datetime.now(UTC), ports=PORTS, socket=Path("/s"), redis=True)
    home.write_state(state)
    assert home.read_state() == state
    home.state_file.write_text("{broken")
    assert home.read_state() is None
