"""Fixtures that run whole homes, through the same code as `groundwork up`."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contracts.retrieval.collections import Collection
from groundwork.client import Groundwork
from groundwork.client.transfers.bulk import Batch, ingest_files
from groundwork.client.transfers.files import find_files
from groundwork.commands.session import read_admin_key
from groundwork.stack.configuration.certificates import trusting
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.lifecycle import down, up
from groundwork.stack.supervision.supervisord import Supervisor

ROOT = Path(__file__).resolve().parents[3]
HANDBOOK = ROOT / "examples" / "handbook"
QUESTIONS = ROOT / "examples" / "handbook-questions.jsonl"
START_SECONDS = 600.0
INGEST_SECONDS = 600.0
SLOW = {"RETRIEVER_RERANK_MILLISECONDS": "60000"}
"""What has little time in a product has much where other tests have the cores."""


@dataclass(frozen=True)
class RunningHome:
    """A home that runs, and its admin."""

    home: Home
    state: RunState
    base_url: str
    admin_key: str
    client: Groundwork

    @property
    def supervisor(self) -> Supervisor:
        """Its supervisord."""
        return Supervisor(self.state.socket)

    def inner_url(self, service: str) -> str:
        """Where an inner service listens."""
        return f"http://127.0.0.1:{self.state.ports[service]}"

    def log_events(self, program: str) -> list[dict[str, Any]]:
        """Every structured line of a program's log."""
        lines = self.home.log_file(program).read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def running_home(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[RunningHome]:
    """Start a fresh home on a free port; stop it when the block ends."""
    home = Home.at(folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a test run that is ended stops its homes, too
    running = up(
        home, port=0, timeout=START_SECONDS, overrides=Overrides.read(home, {**os.environ, **(settings or {})})
    )
    try:
        key = read_admin_key(home.admin_key_file)
        certificate = running.state.certificate
        with Groundwork(running.base_url, key, tls=trusting(certificate) if certificate else None) as client:
            yield RunningHome(home, running.state, running.base_url, key, client)
    finally:
        down(home)


def ingest_handbook(client: Groundwork, collection: str, changed: Callable[[Batch], None] | None = None) -> Batch:
    """The sample handbook into a collection; every document is ready afterwards."""
    client.collections.ensure(collection)
    files = find_files([str(HANDBOOK)]).files
    batch = ingest_files(client, collection, files, timeout=INGEST_SECONDS, changed=changed)
    assert not batch.failed, [(state.file.name, state.failure) for state in batch.failed]
    return batch


def usage_at_rest(home: RunningHome, looks: int = 4) -> tuple[int, Any]:
    """Calls and cost of all usage, once every row is written: rows are written behind calls, in groups.

    That a call's row is on its way is in no metric before it is queued, so nothing may change for a few looks.
    """
    pause, quiet, last = threading.Event(), 0, None
    while quiet < looks:
        pause.wait(0.3)
        rows = list(home.client.usage(group_by="day"))
        now = sum(row.requests for row in rows), sum(row.cost_usd or 0 for row in rows)
        metrics = httpx2.get(f"{home.inner_url('metrics')}/metrics", timeout=60).text
        waiting = "groundwork_gateway_usage_queue_rows 0.0" not in metrics
        quiet, last = 0 if waiting or now != last else quiet + 1, now
    assert last is not None
    return last


def handbook_questions(*, answerable: bool) -> list[dict[str, Any]]:
    """The handbook's questions whose answer is, or is not, in the documents."""
    lines = QUESTIONS.read_text().splitlines()
    return [entry for line in lines if (entry := json.loads(line))["answerable"] == answerable]


@pytest.fixture(scope="package")
def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHome]:
    """One home for all end-to-end tests; each test uses collections of its own."""
    with running_home(tmp_path_factory.mktemp("end-to-end") / "home", SLOW) as running:
        yield running


@pytest.fixture(scope="package")
def handbook(home: RunningHome) -> Collection:
    """The sample handbook, ingested."""
    ingest_handbook(home.client, "handbook")
    return home.client.collections.get("handbook")


@pytest.fixture(scope="package")
def http(home: RunningHome) -> Iterator[httpx2.Client]:
    """Bare HTTP with the admin key, for what the typed client would not send."""
    headers = {"Authorization": f"Bearer {home.admin_key}"}
    with httpx2.Client(base_url=home.base_url, headers=headers, timeout=60) as client:
        yield client
