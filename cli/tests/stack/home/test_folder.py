from __future__ import annotations

import configparser
import json
import shlex
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from groundwork.stack.configuration.environment import Wiring
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.errors import Busy
from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.home.ports import NAMES
from groundwork.stack.supervision import launch
from groundwork.stack.supervision.programs import programs, write_run_files

PORTS = {name: 21_000 + number for number, name in enumerate(NAMES)}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path / "a home with 100% odd 'characters'")
    home.create()
    return home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_and_all_secrets_are_the_owners_alone(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, Overrides({}), with_valkey=True, socket=home.socket_path())
    assert mode(home.root) == mode(home.keys) == 0o700
    files = [*home.keys.iterdir(), *(path for path in home.run.rglob("*") if path.is_file())]
    assert len(files) >= 9
    assert {mode(file) for file in files} == {0o600}


def test_a_secret_is_random_and_stays(home: Home, tmp_path: Path) -> None:
    other = Home.at(tmp_path / "other")
    other.create()
    assert home.secret("redis.password") == home.secret("redis.password") != other.secret("redis.password")


def test_no_secret_is_in_an_argument_list(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, Overrides({}), with_valkey=True, socket=home.socket_path())
    commands = [" ".join(program.command) for program in programs(home, with_valkey=True)]
    assert not any(home.secret("redis.password") in command for command in commands)
    assert home.secret("redis.password") not in home.supervisor_settings.read_text()


def test_supervisord_reads_back_every_path_as_it_is(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, Overrides({}), with_valkey=False, socket=home.socket_path())
    parser = configparser.RawConfigParser()
    parser.read(home.supervisor_settings)
    assert "program:valkey" not in parser.sections()
    assert parser["group:services"]["programs"] == "inference,gateway,retriever,ingest,worker,agent"
    *_, file = shlex.split(parser["program:gateway"]["command"].replace("%%", "%"))
    assert json.loads(Path(file).read_text())["command"][1:] == ["-m", "gateway"]


def test_a_process_gets_exactly_the_environment_of_its_file(tmp_path: Path) -> None:
    odd = {"A": """quotes " and ' and \\ and % and\nlines""", "B": ""}
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    file = tmp_path / "program.json"
    file.write_text(json.dumps({"command": [sys.executable, "-I", "-S", "-c", show], "environment": odd}))
    done = subprocess.run([sys.executable, "-I", "-S", launch.__file__, file], capture_output=True, check=True)
    seen = json.loads(done.stdout)
    seen.pop("LC_CTYPE", None)  # Python's own
    assert seen == odd


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
