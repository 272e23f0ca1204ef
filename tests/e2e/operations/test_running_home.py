"""What an operator relies on: readiness, metrics apart from the public port, one request id everywhere."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import psutil
import pytest
from tests.support.home.stack import RunningHome

from contracts.core.health import Health
from groundwork.stack.status import look
from groundwork.stack.supervision.programs import SERVICES

LOG_SECONDS = 60.0


def eventually(condition: Callable[[], bool], seconds: float = LOG_SECONDS) -> bool:
    """Whether a condition comes true within a deadline."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.1)
    return True


@pytest.mark.parametrize("program", [program.name for program in SERVICES])
def test_every_process_is_alive_ready_and_measured(home: RunningHome, program: str) -> None:
    with httpx2.Client(base_url=home.inner_url(program), timeout=60) as http:
        alive, ready = http.get("/healthz"), http.get("/readyz")
        assert Health.model_validate_json(alive.content).status == "ok"
        assert Health.model_validate_json(ready.content).parts, "readiness exercises real parts"
        assert ready.status_code == 200
        metrics = home.inner_url("metrics") if program == "gateway" else home.inner_url(program)
        measured = http.get(f"{metrics}/metrics").text
        assert "groundwork_" in measured
        (looked,) = re.findall(r'^python_gc_collections_total{generation="2"} (.+)$', measured, re.MULTILINE)
        assert float(looked) >= 1, "it starts without looking for garbage, and looks for it once it serves"


def test_health_is_open_and_says_nothing_secret(home: RunningHome) -> None:
    with httpx2.Client(base_url=home.base_url, timeout=60) as http:
        said = http.get("/healthz").text + http.get("/readyz").text
    secrets = [home.admin_key, home.home.secret("redis.password"), str(home.home.root)]
    assert not any(secret in said for secret in secrets)


def test_metrics_are_not_on_the_public_port(home: RunningHome) -> None:
    with httpx2.Client(base_url=home.base_url, timeout=60) as http:
        assert http.get("/metrics").status_code == 404


def test_the_model_plane_is_not_on_the_public_port(home: RunningHome, http: httpx2.Client) -> None:
    assert http.post("/v1/tokens", json={"grant": "x"}).status_code == 404


def test_one_request_id_is_in_the_logs_of_gateway_ingest_and_worker(home: RunningHome, http: httpx2.Client) -> None:
    home.client.collections.ensure("traced")
    request_id = "trace-this-upload-42"
    body = {"text": "A document to be followed through the logs."}
    accepted = http.post("/v1/collections/traced/documents", json=body, headers={"X-Request-Id": request_id})
    assert accepted.headers["X-Request-Id"] == request_id
    home.client.jobs.wait(accepted.json()["job"]["id"])
    for program in ("gateway", "ingest", "worker", "retriever"):

        def is_logged(program: str = program) -> bool:
            return any(event.get("request_id") == request_id for event in home.log_events(program))

        assert eventually(is_logged), f"not in {program}.log"
    jobs = {event.get("job_id") for event in home.log_events("worker") if event.get("request_id") == request_id}
    assert accepted.json()["job"]["id"] in jobs


def test_no_log_holds_a_secret(home: RunningHome) -> None:
    logs = {log.name: log.read_text(errors="replace") for log in home.home.logs.iterdir()}
    password = home.home.secret("redis.password")
    assert not [name for name, text in logs.items() if password in text or home.admin_key in text]


def test_every_listening_port_is_on_loopback(home: RunningHome) -> None:
    for row in look(home.home, home.state):
        for process in _family(row.pid):
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    assert connection.laddr.ip == "127.0.0.1", f"{row.name} listens on {connection.laddr}"


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def test_the_home_is_its_owners_and_so_is_each_secret_in_it(home: RunningHome) -> None:
    assert home.home.root.stat().st_mode & 0o077 == 0
    for file in (path for path in home.home.root.rglob("*") if path.is_file()):
        if _is_secret(file):
            assert file.stat().st_mode & 0o077 == 0, file


def _is_secret(file: Path) -> bool:
    return file.suffix in (".key", ".password", ".conf", ".json") and "models" not in file.parts
