from __future__ import annotations

import configparser
import json
import shlex
from pathlib import Path

import pytest
from cli.tests.installation import NOTHING, PORTS, mode

from groundwork.stack.configuration.environment import Wiring
from groundwork.stack.home.folder import Home
from groundwork.stack.supervision.programs import programs, write_run_files


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path / "a home with 100% odd 'characters'")
    home.create()
    return home


def test_a_home_and_all_secrets_are_the_owners_alone(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=True, socket=home.socket_path())
    assert mode(home.root) == mode(home.keys) == 0o700
    files = [*home.keys.iterdir(), *(path for path in home.run.rglob("*") if path.is_file())]
    assert len(files) >= 9
    assert {mode(file) for file in files} == {0o600}


def test_no_secret_is_in_an_argument_list(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=True, socket=home.socket_path())
    commands = [" ".join(program.command) for program in programs(home, with_valkey=True)]
    assert not any(home.secret("redis.password") in command for command in commands)
    assert home.secret("redis.password") not in home.supervisor_settings.read_text()


def test_supervisord_reads_back_every_path_as_it_is(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=False, socket=home.socket_path())
    parser = configparser.RawConfigParser()
    parser.read(home.supervisor_settings)
    assert "program:valkey" not in parser.sections()
    assert parser["group:services"]["programs"] == "inference,gateway,retriever,ingest,worker,agent"
    *_, file = shlex.split(parser["program:gateway"]["command"].replace("%%", "%"))
    assert json.loads(Path(file).read_text())["command"][1:] == ["-m", "gateway"]
