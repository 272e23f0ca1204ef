"""Documents by URL and in batches, through the API over a web of fixed pages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.support.sql.migrated import open_migrated

from contracts.access.delegation import Delegation
from ingest.blobs.memory import MemoryBlobs
from ingest.bootstrap import assemble, create_app
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS
from ingest.testing.index import MemoryIndex
from ingest.testing.notifier import MemoryNotifier
from ingest.testing.pages import FixedPages
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.clock import SystemClock
from servicekit.sql.database import Database

DOCUMENTS = "/v1/collections/handbook/documents"


SITE = "https://example.org"


PAGES = {
    f"{SITE}/leave.html": (b"<html><title>Leave</title><p>Ten days.</p></html>", "text/html"),
    f"{SITE}/notes.md": (b"# Notes\n\nThe word.", "text/plain"),
    f"{SITE}/view.xyz": (b"Just words.", "text/markdown"),
    f"{SITE}/": (b"Words of the first page.", "text/plain"),
    f"{SITE}/export?id=7&token=secret": (b"# Export\n\nWords.", "text/markdown"),
    f"{SITE}/photo": (b"\x89PNG\r\n\x1a\n", "image/png"),
    f"{SITE}/empty.txt": (b"", "text/plain"),
    f"{SITE}/large.txt": (b"word " * 1000, "text/plain"),
}


class Api:
    """The app over fakes."""

    def __init__(self, client: TestClient, signer: DelegationSigner, web: FixedPages, notifier: MemoryNotifier) -> None:
        self.client, self.signer, self.web, self.notifier = client, signer, web, notifier

    def post(self, path: str, body: Any, **headers: str) -> Any:
        delegation = Delegation(audiences=("ingest",), tenant="acme", key_id="k", scopes=("documents",), request_id="r")
        token = self.signer.sign(delegation, timedelta(hours=1))
        fixed = {"Authorization": f"Bearer {token}", "Groundwork-Grant": "grant"}
        return self.client.post(path, json=body, headers={**fixed, **headers})

    def fetch(self, url: str, **more: Any) -> Any:
        return self.post(DOCUMENTS, {"url": url, **more})

    def batch(self, *documents: Any, **headers: str) -> Any:
        return self.post(f"{DOCUMENTS}:batch", {"documents": list(documents)}, **headers)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    private, public = generate_key_pair()
    (tmp_path / "delegation.pub").write_bytes(public)
    settings = IngestSettings(
        data_dir=tmp_path, delegation_public_key_file=tmp_path / "delegation.pub", url_fetches=2, url_seconds=5
    )
    database, notifier = Database.open(None, tmp_path, "ingest"), MemoryNotifier()
    asyncio.run(_prepare(tmp_path))
    web = FixedPages(PAGES, settings.address_policy(), limit=4096)
    opened = assemble(settings, database, MemoryBlobs(), MemoryIndex(), notifier, SystemClock(), web)
    with TestClient(create_app(settings, opened), raise_server_exceptions=False) as client:
        api = Api(client, DelegationSigner(private), web, notifier)
        assert api.post("/v1/collections", {"name": "handbook"}).status_code == 201
        yield api
        assert client.portal is not None
        client.portal.call(database.close)


async def _prepare(folder: Path) -> None:
    await (await open_migrated(folder, "ingest", MIGRATIONS)).close()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/leave.html", ("leave", "/leave.html", "text/html")),
        ("/leave.html#section", ("leave", "/leave.html", "text/html")),
        ("/notes.md", ("notes", "/notes.md", "text/markdown")),  # the path says more than text/plain
        ("/view.xyz", ("view", "/view.xyz", "text/markdown")),  # the server says more than the path
        ("/", ("example.org", "/", "text/plain")),
        ("/export?id=7&token=secret", ("export", "/export?id=7", "text/markdown")),
    ],
)
def test_a_document_by_url_has_its_title_source_and_type(api: Api, path: str, expected: tuple[str, str, str]) -> None:
    answer = api.fetch(SITE + path)
    assert answer.status_code == 202, answer.text
    document = answer.json()["document"]
    assert (document["title"], document["source"], document["media_type"]) == (
        expected[0],
        SITE + expected[1],
        expected[2],
    )
    assert api.notifier.notified == [answer.json()["job"]["id"]]


def test_a_document_by_url_is_its_bytes_unless_the_caller_names_it(api: Api) -> None:
    url = f"{SITE}/notes.md"
    first = api.fetch(url, title="Mine", metadata={"team": "hr"}).json()["document"]
    assert first["id"] == first["sha256"]
    assert (first["title"], first["metadata"]) == ("Mine", {"team": "hr"})
    again = api.fetch(url)
    assert (again.status_code, again.json()["unchanged"]) == (200, True)
    assert api.fetch(url, document_id="notes").json()["document"]["id"] == "notes"
    api.web.pages = {url: (b"# Other", "text/plain")}
    assert api.fetch(url, document_id="notes").json()["document"]["revision"] == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1/x", (400, "url_refused")),
        ("ftp://example.org/x", (400, "url_refused")),
        (f"{SITE}/missing", (400, "fetch_failed")),
        (f"{SITE}/photo", (415, "unsupported_media_type")),
        (f"{SITE}/empty.txt", (400, "empty_file")),
        (f"{SITE}/large.txt", (413, "too_large")),
    ],
)
def test_a_url_that_cannot_be_taken_is_refused_with_its_reason(api: Api, url: str, expected: tuple[int, str]) -> None:
    answer = api.fetch(url)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (*expected, "url")
    assert api.notifier.notified == []


def test_a_repeated_call_with_its_idempotency_key_does_not_fetch_again(api: Api) -> None:
    url, key = f"{SITE}/notes.md", {"Idempotency-Key": "once"}
    first = api.post(DOCUMENTS, {"url": url}, **key)
    api.web.pages = {url: (b"# Other", "text/plain")}
    again = api.post(DOCUMENTS, {"url": url}, **key)
    assert (again.status_code, again.json(), api.web.fetched) == (202, first.json(), 1)
    other = api.post(DOCUMENTS, {"url": f"{url}?2"}, **key)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")


def test_a_fetch_that_failed_may_be_tried_again_with_its_idempotency_key(api: Api) -> None:
    url, key = f"{SITE}/later", {"Idempotency-Key": "once"}
    assert api.post(DOCUMENTS, {"url": url}, **key).status_code == 400
    api.web.pages = {url: (b"Words.", "text/plain")}
    assert api.post(DOCUMENTS, {"url": url}, **key).status_code == 202


def test_each_document_of_a_batch_is_taken_or_refused_for_itself(api: Api) -> None:
    answer = api.batch(
        {"text": "One.", "document_id": "one"},
        {"url": f"{SITE}/notes.md"},
        {"url": "http://10.0.0.1/"},
        {"text": "a", "url": SITE},
        {"text": "a", "metadata": "none"},
        7,
        {"url": f"{SITE}/notes.md", "document_id": "notes"},
        {"text": "  "},
    )
    assert answer.status_code == 202
    results = answer.json()["results"]
    accepted = [index for index, result in enumerate(results) if "document" in result]
    assert accepted == [0, 1, 6]
    assert sorted(api.notifier.notified) == sorted(results[index]["job"]["id"] for index in accepted)
    refused = {
        index: (result["error"]["code"], result["error"]["param"])
        for index, result in enumerate(results)
        if "error" in result
    }
    assert refused == {
        2: ("url_refused", "documents.2.url"),
        3: ("invalid_body", None),
        4: ("invalid_body", "documents.4.metadata"),
        5: ("invalid_body", None),
        7: ("empty_file", "documents.7.text"),
    }
    again = api.batch({"text": "One.", "document_id": "one"}).json()["results"]
    assert (again[0]["unchanged"], again[0]["document"]["id"]) == (True, "one")


def test_the_last_of_several_with_one_id_in_a_batch_wins(api: Api) -> None:
    texts = [{"text": f"Text {number}.", "document_id": "same"} for number in range(9)]
    results = api.batch({"url": f"{SITE}/notes.md", "document_id": "same"}, *texts).json()["results"]
    assert [result["document"]["revision"] for result in results] == list(range(1, 11))


def test_a_batch_has_one_answer_for_its_idempotency_key(api: Api) -> None:
    first = api.batch({"text": "One."}, {"url": f"{SITE}/missing"}, **{"Idempotency-Key": "once"})
    again = api.batch({"text": "One."}, {"url": f"{SITE}/missing"}, **{"Idempotency-Key": "once"})
    assert (again.status_code, again.json()) == (202, first.json())
    other = api.batch({"text": "Two."}, **{"Idempotency-Key": "once"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")


@pytest.mark.parametrize("documents", [[], [{"text": "a"}] * 101, "none"])
def test_a_batch_of_no_or_too_many_documents_is_refused_as_a_whole(api: Api, documents: Any) -> None:
    answer = api.post(f"{DOCUMENTS}:batch", {"documents": documents})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_body")
