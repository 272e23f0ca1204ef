"""A real Prometheus of a test's own: the project's rules, quicker, over the processes of a home."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from tests.support.home.stack import ROOT, RunningHome

PROMETHEUS = shutil.which("prometheus")
STARTING_SECONDS = 60.0
SERVICES = ("ingest", "worker", "retriever", "inference", "agent", "lab")


@dataclass(frozen=True)
class Prometheus:
    """Asks a running Prometheus."""

    http: httpx2.Client

    def values(self, expr: str) -> list[float]:
        """What a query shows now; series without a number (0/0) are no data."""
        answer = self.http.post("/api/v1/query", data={"query": expr.replace("$__rate_interval", "2m")}).json()
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        found = [float(series["value"][1]) for series in answer["data"]["result"]]
        return [value for value in found if not math.isnan(value)]

    def over(self, expr: str, since: float, until: float, step: float) -> list[dict[str, Any]]:
        """What a query shows from one moment to another (seconds since the epoch): labels and values of each series."""
        asked = {"query": expr.replace("$__rate_interval", "30s"), "start": since, "end": until, "step": step}
        answer = self.http.post("/api/v1/query_range", data=asked).json()
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def alerts(self) -> set[str]:
        """The alerts that fire, or will once they have lasted."""
        answer = self.http.get("/api/v1/alerts").json()
        return {alert["labels"]["alertname"] for alert in answer["data"]["alerts"]}


def _targets(home: RunningHome) -> dict[str, list[dict[str, Any]]]:
    """By job; an instance is called what it is, not by its port."""
    ports = {"gateway": home.state.ports["metrics"], **{name: home.state.ports[name] for name in SERVICES}}
    found = {name: {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}} for name, port in ports.items()}
    return {"gateway": [found["gateway"]], "services": [found[name] for name in SERVICES]}


def _written(folder: Path, home: RunningHome, period: str) -> Path:
    """The project's configuration with this home's addresses, each period cut to this one."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": period, "evaluation_interval": period}
    config["scrape_configs"] = [
        {"job_name": name, "static_configs": targets} for name, targets in _targets(home).items()
    ]
    (folder / "rules").mkdir(parents=True)
    for file in (ROOT / "deploy/prometheus/rules").glob("*.yml"):
        rules = yaml.safe_load(file.read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
        (folder / "rules" / file.name).write_text(yaml.safe_dump(rules))
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(config))
    return written


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_prometheus(folder: Path, home: RunningHome, period: str = "1s") -> Iterator[Prometheus]:
    """Scrapes the home until the block ends."""
    address = f"127.0.0.1:{_free_port()}"
    command = [
        str(PROMETHEUS),
        f"--config.file={_written(folder, home, period)}",
        f"--storage.tsdb.path={folder / 'data'}",
    ]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={address}"], stdout=output, stderr=output, cwd=folder
        )
    try:
        with httpx2.Client(base_url=f"http://{address}", timeout=60) as http:
            _wait(http, process, log)
            yield Prometheus(http)
    finally:
        process.terminate()
        process.wait()


def _wait(http: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    until, pause = time.monotonic() + STARTING_SECONDS, threading.Event()
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        try:
            if http.get("/-/ready").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        pause.wait(0.1)
