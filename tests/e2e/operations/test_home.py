"""`up` and `down`: idempotent, side by side, and clean after any end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from tests.support.home.stack import ROOT, START_SECONDS, RunningHome, running_home

from groundwork.client import Groundwork
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.errors import PortTaken
from groundwork.stack.home.folder import Home
from groundwork.stack.lifecycle import down, running_state, up
from groundwork.stack.supervision.processes import end, marked, supervisor_of

COMMAND = Path(sys.executable).parent / "groundwork"
SCRIPTED = {"INFERENCE_MODELS_FILE": str(ROOT / "deploy" / "config" / "models.scripted.yaml")}
"""Models that need no memory, since these tests are about processes."""


def groundwork(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GROUNDWORK_HOME": str(home.root)}
    return subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def second(home: RunningHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    """Another home beside the shared one, both running."""
    with running_home(tmp_path_factory.mktemp("second") / "home", SCRIPTED) as running:
        yield running


def test_two_homes_run_side_by_side_and_know_nothing_of_each_other(home: RunningHome, second: RunningHome) -> None:
    assert not set(home.state.ports.values()) & set(second.state.ports.values())
    assert home.admin_key != second.admin_key
    second.client.collections.ensure("only-in-the-second")
    assert "only-in-the-second" not in {collection.name for collection in home.client.collections.list()}
    assert (
        groundwork(
            home.home, "--base-url", second.base_url, "--api-key", home.admin_key, "search", "x", "-c", "x"
        ).returncode
        == 1
    )


def test_up_on_a_running_home_changes_nothing(second: RunningHome) -> None:
    before = {name: state.pid for name, state in second.supervisor.processes().items()}
    done = groundwork(second.home, "up")
    assert done.returncode == 0, done.stderr
    assert second.base_url in done.stdout
    assert {name: state.pid for name, state in second.supervisor.processes().items()} == before


def test_status_shows_every_process_ready(second: RunningHome) -> None:
    done = groundwork(second.home, "status")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("valkey", "inference", "retriever", "ingest", "worker", "agent", "lab", "gateway"):
        assert name in done.stdout


def test_key_prints_the_key_alone(second: RunningHome) -> None:
    assert groundwork(second.home, "key").stdout == f"{second.admin_key}\n"


def test_config_shows_where_values_come_from(second: RunningHome) -> None:
    done = groundwork(second.home, "config", "gateway")
    assert done.returncode == 0, done.stderr
    assert str(second.state.ports["model_plane"]) in done.stdout
    assert second.home.secret("redis.password") not in done.stdout


def test_a_taken_port_is_refused_with_who_has_it_and_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"{port} is taken by .*{os.getpid()}.*GROUNDWORK_PORT"):
            up(Home.at(tmp_path / "home"), port=port)
    assert running_state(Home.at(tmp_path / "home")) is None


def test_a_killed_service_comes_back_on_its_port(second: RunningHome) -> None:
    agent = psutil.Process(second.supervisor.processes()["agent"].pid)
    agent.kill()
    psutil.wait_procs([agent], timeout=60)
    up(second.home, port=0, timeout=START_SECONDS)  # waits until all are ready again
    assert second.supervisor.processes()["agent"].pid != agent.pid
    assert second.client.readiness().status == "ok"


def test_who_calls_while_the_gateway_is_away_waits_and_is_not_refused(second: RunningHome) -> None:
    gateway = psutil.Process(second.supervisor.processes()["gateway"].pid)
    gateway.kill()
    psutil.wait_procs([gateway], timeout=60)
    with httpx2.Client(base_url=second.base_url, timeout=60) as http:
        assert http.get("/healthz").status_code == 200
    assert second.supervisor.processes()["gateway"].pid != gateway.pid


def test_a_home_whose_supervisor_was_killed_starts_again_and_stops_cleanly(second: RunningHome) -> None:
    supervisor = supervisor_of(second.home)
    assert supervisor is not None
    end([supervisor], grace=0)
    left = marked(second.state.run_id)
    assert left, "the services outlive their supervisor"
    told = groundwork(second.home, "status")
    assert told.returncode == 1
    assert f"{len(left)} of its processes still serve" in " ".join(told.stderr.split())
    again = up(
        second.home, port=0, timeout=START_SECONDS, overrides=Overrides.read(second.home, {**os.environ, **SCRIPTED})
    )
    assert not again.already
    assert not any(process.is_running() for process in left), "the first start's processes are gone"
    with Groundwork(again.base_url, second.admin_key) as client:
        assert "only-in-the-second" in {collection.name for collection in client.collections.list()}
    assert down(second.home)
    assert not marked(again.state.run_id)
    assert running_state(second.home) is None
    assert not down(second.home), "down on a stopped home is no error"


def test_a_value_that_a_service_would_refuse_is_named_before_anything_starts(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.create()
    home.settings_file.write_text("AGENT_CONTEXT_TOKENS=many\n")
    done = groundwork(home, "up", "--port", "0")
    assert done.returncode == 1
    assert "AGENT_CONTEXT_TOKENS (from home) is not valid" in done.stderr
    assert not home.log_file("agent").exists()


def test_a_service_that_can_not_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.create()
    home.settings_file.write_text("RETRIEVER_DATA_DIR=/proc/nowhere\n")
    done = groundwork(home, "up", "--port", "0")
    assert done.returncode == 1
    assert "retriever ended 3 times before it was ready" in " ".join(done.stderr.split())
    assert "/proc/nowhere" in done.stderr, "the log's last lines say why"
    assert running_state(home) is None
