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
    write_run_files(wiring, NOTHING, with_valkey=True, socket=home.run / "s")
    assert mode(home.root) == mode(home.keys) == 0o700
    files = [*home.keys.iterdir(), *(path for path in home.run.rglob("*") if path.is_file())]
    assert len(files) >= 9
    assert {mode(file) for file in files} == {0o600}


def test_no_secret_is_in_an_argument_list(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=True, socket=home.run / "s")
    commands = [" ".join(program.command) for program in programs(home, with_valkey=True)]
    assert not any(home.secret("redis.password") in command for command in commands)
    assert home.secret("redis.password") not in home.supervisor_settings.read_text()


def test_supervisord_reads_back_every_path_as_it_is(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=False, socket=home.run / "s")
    parser = configparser.RawConfigParser()
    parser.read(home.supervisor_settings)
    assert "program:valkey" not in parser.sections()
    assert parser["group:services"]["programs"] == "inference,gateway,retriever,ingest,worker,agent,lab"
    *_, file, module = shlex.split(parser["program:gateway"]["command"].replace("%%", "%"))
    assert json.loads(Path(file).read_text())["command"][1:] == ["-m", module] == ["-m", "gateway"]


def settings(home: Home) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read(home.supervisor_settings)
    return parser


def test_the_gateway_alone_is_told_of_the_socket_that_is_held_for_it(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=True, socket=home.run / "s", held=203)
    files = {file.stem: json.loads(file.read_text()) for file in (home.run / "programs").iterdir()}
    assert files["gateway"]["environment"]["GATEWAY_LISTEN_FD"] == "203"
    assert {name: content["keep"] for name, content in files.items() if "keep" in content} == {"gateway": 203}
    assert not any("LISTEN_FD" in name for each in files if each != "gateway" for name in files[each]["environment"])
    assert files["valkey"]["environment"] == {"GROUNDWORK_RUN": "run"}


def test_supervisord_starts_all_in_the_order_in_which_they_are_needed(home: Home) -> None:
    """Inference takes longest and is forked first; a service's module tells supervisord what to fork."""
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=True, socket=home.run / "s")
    parser = settings(home)
    named = [name for name in parser.sections() if name.startswith("program:")]
    assert all(parser[name]["autostart"] == "true" for name in named)
    order = sorted(named, key=lambda name: int(parser[name]["priority"]))
    assert order[:2] == ["program:valkey", "program:inference"]
    assert shlex.split(parser["program:worker"]["command"].replace("%%", "%"))[-1] == "ingest.worker"
    assert "valkey" not in parser["group:services"]["programs"].split(","), "it is stopped last, by itself"


def test_valkey_takes_the_homes_password_and_writes_nothing_down(home: Home) -> None:
    wiring = Wiring(home, PORTS, "redis://:pw@h", "run")
    write_run_files(wiring, NOTHING, with_valkey=True, socket=home.run / "s")
    lines = (home.run / "valkey.conf").read_text().splitlines()
    assert f"requirepass {home.secret('redis.password')}" in lines
    assert {f"port {PORTS['valkey']}", "bind 127.0.0.1", 'save ""', "appendonly no"} <= set(lines)
