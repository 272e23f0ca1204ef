from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from contracts.delegation import Audience, Delegation
from contracts.indexing import ChunkBatch, ChunkInput, DocumentFacts
from extraction.chunking.tokens import Tokens
from ingest.blobs.memory import MemoryBlobs
from ingest.bootstrap import assemble, create_app
from ingest.dependencies import Dependencies
from ingest.jobs.lifecycle import JobOwner
from ingest.settings import IngestSettings
from ingest.stores import MIGRATIONS
from ingest.testing.gateway import MemoryPlatform
from ingest.testing.index import MemoryIndex
from ingest.testing.notifier import MemoryNotifier
from ingest.testing.tokens import FixedTokenizers, FixedTokens
from ingest.worker.bootstrap import WorkerDependencies, assemble_worker
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.clock import SystemClock
from servicekit.core.disk import DiskRoom
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

DOCUMENTS = "/v1/collections/handbook/documents"
LIMIT = 4096


class Api:
    """The app over fakes, in TestClient's own event loop, with a worker that runs when told."""

    def __init__(
        self, client: TestClient, signer: DelegationSigner, worker: WorkerDependencies, notifier: MemoryNotifier
    ) -> None:
        self.client, self.signer, self.worker, self.notifier = client, signer, worker, notifier

    def headers(self, tenant: str = "acme", audience: Audience = "ingest", **claims: Any) -> dict[str, str]:
        claims = {"scopes": ("documents", "search"), **claims}
        delegation = Delegation(audiences=(audience,), tenant=tenant, key_id=f"k-{tenant}", request_id="r", **claims)
        token = self.signer.sign(delegation, timedelta(hours=1))
        return {"Authorization": f"Bearer {token}", "Groundwork-Grant": "grant"}

    def call(self, method: str, path: str, **more: Any) -> Any:
        headers = {**self.headers(), **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def text(self, text: str = "The word.", **more: Any) -> Any:
        return self.call("POST", DOCUMENTS, json={"text": text, **more})

    def file(self, name: str, content: bytes, kind: str = "application/octet-stream", **more: Any) -> Any:
        return self.call("POST", DOCUMENTS, files={"file": (name, io.BytesIO(content), kind)}, **more)

    def work(self) -> None:
        async def run() -> None:
            while claimed := await self.worker.ledger.claim("worker"):
                await self.worker.slots.run(claimed, asyncio.Event())

        assert self.client.portal is not None
        self.client.portal.call(run)


@pytest.fixture
def api(tmp_path: Path, tokens: Tokens) -> Iterator[Api]:
    private, public = generate_key_pair()
    (tmp_path / "delegation.pub").write_bytes(public)
    settings = IngestSettings(
        data_dir=tmp_path, delegation_public_key_file=tmp_path / "delegation.pub", max_upload_bytes=LIMIT
    )
    index, notifier, blobs = MemoryIndex(), MemoryNotifier(), MemoryBlobs()
    database, clock = Database.open(None, tmp_path, "ingest"), SystemClock()
    asyncio.run(_prepare(database))
    app = create_app(settings, assemble(settings, database, blobs, index, notifier, clock))
    worker = assemble_worker(
        settings, database, blobs, index, FixedTokens(), FixedTokenizers(tokens), MemoryPlatform(), clock
    )
    with TestClient(app, raise_server_exceptions=False) as client:
        api = Api(client, DelegationSigner(private), worker, notifier)
        assert api.call("POST", "/v1/collections", json={"name": "handbook"}).status_code == 201
        yield api
        assert client.portal is not None
        client.portal.call(worker.close)
        client.portal.call(database.close)


async def _prepare(database: Database) -> None:
    await migrate(database, MIGRATIONS)
    await database.close()


def error(response: Any) -> tuple[int, str]:
    body = response.json()["error"]
    assert body["message"]
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"]


def test_a_document_goes_in_and_its_text_and_bytes_come_out(api: Api) -> None:
    response = api.file("notes.md", b"# Notes\n\nThe *word* and the price.", data={"metadata": '{"team": "hr"}'})
    assert response.status_code == 202
    document, job = response.json()["document"], response.json()["job"]
    assert (document["status"], document["title"], document["media_type"]) == ("queued", "notes", "text/markdown")
    assert (job["status"], job["queue_position"], job["waiting_on"]) == ("queued", 1, "worker")
    assert api.notifier.notified == [job["id"]]
    here = f"{DOCUMENTS}/{document['id']}"
    assert error(api.call("GET", f"{here}/text")) == (409, "text_not_ready")
    api.work()
    shown = api.call("GET", here).json()
    assert (shown["status"], shown["title"], shown["metadata"]) == ("ready", "Notes", {"team": "hr"})
    text = api.call("GET", f"{here}/text")
    assert (text.text, text.headers["content-type"]) == (
        "Notes\n\nThe word and the price.",
        "text/plain; charset=utf-8",
    )
    content = api.call("GET", f"{here}/content")
    assert content.content == b"# Notes\n\nThe *word* and the price."
    assert content.headers["content-disposition"] == "attachment; filename*=UTF-8''notes.md"
    chunks = api.call("GET", f"{here}/chunks").json()["data"]
    assert all(text.text[chunk["start"] : chunk["end"]] == chunk["text"] for chunk in chunks)
    assert api.call("GET", f"/v1/jobs/{job['id']}").json()["status"] == "ready"
    again = api.file("notes.md", b"# Notes\n\nThe *word* and the price.")
    assert (again.status_code, again.json()["unchanged"], again.json()["job"]) == (200, True, None)


def test_an_unchanged_document_says_that_other_metadata_was_not_taken_over(api: Api) -> None:
    body = {"text": "the word", "title": "Word", "metadata": {"team": "hr"}}
    assert api.call("POST", DOCUMENTS, json=body).json()["warnings"] == []
    assert api.call("POST", DOCUMENTS, json=body).json()["warnings"] == []
    (metadata, title) = api.call("POST", DOCUMENTS, json={"text": "the word", "title": "New"}).json()["warnings"]
    assert metadata.startswith("The document keeps its metadata.")
    assert title.startswith("The document keeps its title.")
    api.work()
    again = api.call("POST", DOCUMENTS, json={**body, "metadata": {}}).json()
    assert (again["unchanged"], again["document"]["metadata"], len(again["warnings"])) == (True, {"team": "hr"}, 1)


@pytest.mark.parametrize("what", ["content", "text"])
def test_a_document_that_is_deleted_while_it_is_read_is_not_found(
    api: Api, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    api.text(document_id="a")
    api.work()
    opened: Dependencies = api.client.app.state.dependencies  # type: ignore[attr-defined]
    original = opened.blobs.stream

    async def stream(key: str) -> AsyncIterator[bytes]:
        monkeypatch.setattr(opened.blobs, "stream", original)
        await opened.deletions.delete_document(JobOwner("acme", "k-acme", "r", "grant"), "token", "handbook", "a")
        async for piece in original(key):
            yield piece

    monkeypatch.setattr(opened.blobs, "stream", stream)
    assert error(api.call("GET", f"{DOCUMENTS}/a/{what}")) == (404, "document_not_found")


@pytest.mark.parametrize(
    ("name", "content", "kind", "expected"),
    [
        ("empty.txt", b"", "text/plain", (400, "empty_file")),
        ("setup.exe", b"MZ\x90\0", "application/octet-stream", (415, "unsupported_media_type")),
        ("photo.png", b"\x89PNG\r\n\x1a\n", "image/png", (415, "unsupported_media_type")),
        ("notes.xyz", b"some words", "application/octet-stream", (415, "unsupported_media_type")),
        ("nul.txt", b"text\0text", "text/plain", (415, "unsupported_media_type")),
        ("large.txt", b"word " * LIMIT, "text/plain", (413, "too_large")),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_with_its_reason(
    api: Api, name: str, content: bytes, kind: str, expected: tuple[int, str]
) -> None:
    assert error(api.file(name, content, kind)) == expected


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("broken.pdf", b"%PDF-1.7 and then nothing of the kind", "malformed"),
        ("not-a.pdf", b"just words", "malformed"),
        ("not-a.docx", b"PK\x03\x04 broken", "malformed"),
        ("archive.zip", b"PK\x03\x04rest", "malformed"),
        ("blank.txt", b" \n \n", "no_text"),
    ],
)
def test_a_document_that_cannot_be_read_fails_with_its_reason(api: Api, name: str, content: bytes, code: str) -> None:
    response = api.file(name, content)
    assert response.status_code == 202
    api.work()
    document = api.call("GET", f"{DOCUMENTS}/{response.json()['document']['id']}").json()
    assert (document["status"], document["error"]["code"]) == ("failed", code)
    listed = api.call("GET", f"{DOCUMENTS}?status=failed").json()["data"]
    assert [each["id"] for each in listed] == [document["id"]]
    assert error(api.call("GET", f"{DOCUMENTS}/{document['id']}/text")) == (404, "text_not_found")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"url": "http://127.0.0.1/a.pdf"}, (400, "url_refused")),
        ({"text": "a", "url": "https://example.org"}, (422, "invalid_body")),
        ({"text": ""}, (422, "invalid_body")),
        ({"text": "  "}, (400, "empty_file")),
        ({"text": "a", "document_id": "no spaces"}, (422, "invalid_body")),
        ({"text": "a", "colour": 1}, (422, "invalid_body")),
        ({"text": "a", "metadata": [1]}, (422, "invalid_body")),
    ],
)
def test_a_json_body_that_cannot_be_taken_is_refused(api: Api, body: dict[str, Any], expected: tuple[int, str]) -> None:
    assert error(api.call("POST", DOCUMENTS, json=body)) == expected


def test_malformed_bodies_are_told_apart(api: Api) -> None:
    json_type = {"Content-Type": "application/json"}
    assert error(api.call("POST", DOCUMENTS, content="{", headers=json_type)) == (422, "malformed_json")
    assert error(api.call("POST", DOCUMENTS, content="x", headers={"Content-Type": "text/plain"})) == (
        415,
        "unsupported_media_type",
    )
    assert error(api.call("POST", DOCUMENTS, files={"other": ("a.txt", b"a")})) == (422, "invalid_body")
    bad_metadata = api.file("a.txt", b"a", data={"metadata": "{nope"})
    assert error(bad_metadata) == (422, "invalid_body")
    assert bad_metadata.json()["error"]["param"] == "metadata"
    endless = (b'{"text": "' if first else b"x" * 1000 for first in [True, *[False] * 20])
    assert error(api.call("POST", DOCUMENTS, content=endless, headers=json_type)) == (413, "too_large")


def test_what_is_not_there_is_not_found_also_for_another_tenant(api: Api) -> None:
    document = api.text(document_id="a").json()
    assert error(api.call("POST", "/v1/collections/nowhere/documents", json={"text": "a"}))[0] == 404
    assert error(api.call("GET", f"{DOCUMENTS}/b")) == (404, "document_not_found")
    assert error(api.call("GET", "/v1/jobs/job_none")) == (404, "job_not_found")
    theirs = api.headers("globex")
    for method, path in [
        ("GET", f"{DOCUMENTS}/a"),
        ("DELETE", f"{DOCUMENTS}/a"),
        ("GET", f"{DOCUMENTS}/a/text"),
        ("GET", f"{DOCUMENTS}/a/content"),
        ("GET", f"/v1/jobs/{document['job']['id']}"),
        ("GET", f"/v1/jobs/{document['job']['id']}/events"),
        ("POST", f"/v1/jobs/{document['job']['id']}/cancel"),
        ("POST", f"/v1/jobs/{document['job']['id']}/retry"),
    ]:
        assert error(api.call(method, path, headers=theirs))[0] == 404, path
    assert api.call("GET", "/v1/jobs", headers=theirs).json()["data"] == []


def test_a_key_reaches_only_its_collections(api: Api) -> None:
    job = api.text(document_id="a").json()["job"]
    limited = api.headers(collections=("other",))
    for method, path in [
        ("GET", DOCUMENTS),
        ("POST", DOCUMENTS),
        ("DELETE", f"{DOCUMENTS}/a"),
        ("GET", f"{DOCUMENTS}/a"),
    ]:
        assert error(api.call(method, path, headers=limited)) == (403, "collection_not_allowed")
    assert error(api.call("DELETE", "/v1/collections/handbook", headers=limited)) == (403, "collection_not_allowed")
    assert error(api.call("GET", f"/v1/jobs/{job['id']}", headers=limited)) == (404, "job_not_found")
    assert api.call("GET", "/v1/collections", headers=limited).json()["data"] == []


def test_only_tokens_for_ingest_get_in(api: Api) -> None:
    assert api.client.get("/v1/jobs").status_code == 401
    assert error(api.call("GET", "/v1/jobs", headers=api.headers(audience="retriever"))) == (401, "invalid_delegation")


def test_a_repeated_call_with_its_idempotency_key_gets_the_first_answer(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first = api.call("POST", DOCUMENTS, json={"text": "one", "document_id": "a"}, headers=key)
    api.work()
    again = api.call("POST", DOCUMENTS, json={"text": "one", "document_id": "a"}, headers=key)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    other = api.call("POST", DOCUMENTS, json={"text": "two", "document_id": "a"}, headers=key)
    assert error(other) == (409, "idempotency_mismatch")
    made = api.call("POST", "/v1/collections", json={"name": "second"}, headers=key)
    assert (made.status_code, api.call("POST", "/v1/collections", json={"name": "second"}, headers=key).json()) == (
        201,
        made.json(),
    )
    assert error(api.call("POST", "/v1/collections", json={"name": "second"})) == (409, "collection_exists")


def test_jobs_that_are_over_or_not_failed_refuse_cancel_and_retry(api: Api) -> None:
    job = api.text().json()["job"]
    assert error(api.call("POST", f"/v1/jobs/{job['id']}/retry")) == (409, "job_not_failed")
    assert api.call("POST", f"/v1/jobs/{job['id']}/cancel").json()["status"] == "cancelled"
    assert error(api.call("POST", f"/v1/jobs/{job['id']}/cancel")) == (409, "job_finished")
    assert api.text().status_code == 202  # the same document again, after its job was cancelled


def test_what_a_cancelled_job_had_sent_is_not_found(api: Api) -> None:
    response = api.text("the word and the price " * 100, document_id="a")
    index = api.worker.slots.pipeline.index
    assert isinstance(index, MemoryIndex)

    async def begin() -> None:
        claimed = await api.worker.ledger.claim("worker")
        assert claimed is not None
        await api.worker.ledger.progress(claimed, {"stage": "indexing"}, {"sent": True})
        facts = DocumentFacts(title="a", source="a", media_type="text/plain")
        batch = ChunkBatch(document=facts, chunks=[ChunkInput(ordinal=0, text="the", start=0, end=3)])
        await index.put_chunks("", "handbook", "a", 1, batch, 1)

    assert api.client.portal is not None
    api.client.portal.call(begin)
    assert api.call("POST", f"/v1/jobs/{response.json()['job']['id']}/cancel").json()["status"] == "cancelled"
    assert index.found("handbook", "a") == []
    again = api.text("the word and the price " * 100, document_id="a")
    assert (again.status_code, again.json()["document"]["revision"]) == (202, 2)
    api.work()
    assert index.found("handbook", "a")


def test_a_deleted_document_is_gone_and_so_is_a_deleted_collection(api: Api) -> None:
    api.text("one", document_id="a")
    api.text("two", document_id="b")
    api.work()
    assert api.call("GET", "/v1/collections/handbook").json()["documents"] == 2
    assert api.call("DELETE", f"{DOCUMENTS}/a").status_code == 204
    assert error(api.call("DELETE", f"{DOCUMENTS}/a")) == (404, "document_not_found")
    assert api.call("GET", "/v1/collections").json()["data"][0]["bytes"] == 3
    assert api.call("DELETE", "/v1/collections/handbook").status_code == 204
    assert error(api.call("DELETE", "/v1/collections/handbook")) == (404, "collection_not_found")
    assert error(api.call("GET", DOCUMENTS)) == (404, "collection_not_found")


def test_a_collection_is_changed_by_those_who_may(api: Api) -> None:
    here = "/v1/collections/handbook"
    assert api.call("PATCH", here, json={"rerank": True}).json()["rerank"] is True
    shown = api.call("PATCH", here, json={"description": "Rules"}).json()
    assert (shown["rerank"], shown["description"], shown["documents"]) == (True, "Rules", 0)
    assert api.call("GET", here).json() == shown
    for body in ({}, {"rerank": None}, {"rerank": True, "name": "other"}):
        assert api.call("PATCH", here, json=body).status_code == 422
    assert error(api.call("PATCH", "/v1/collections/nowhere", json={"rerank": True})) == (404, "collection_not_found")


def test_lists_page_by_cursor_and_look_for_words(api: Api) -> None:
    for number in range(5):
        api.text(f"text {number}", document_id=f"doc-{number}", title="100 % sure" if number == 3 else f"T{number}")
    first = api.call("GET", f"{DOCUMENTS}?limit=2").json()
    second = api.call("GET", f"{DOCUMENTS}?limit=2&cursor={first['next_cursor']}").json()
    third = api.call("GET", f"{DOCUMENTS}?limit=2&cursor={second['next_cursor']}").json()
    ids = [each["id"] for page in (first, second, third) for each in page["data"]]
    assert (ids, third["next_cursor"]) == ([f"doc-{number}" for number in (4, 3, 2, 1, 0)], None)
    assert [each["id"] for each in api.call("GET", f"{DOCUMENTS}?q=%25").json()["data"]] == ["doc-3"]
    assert error(api.call("GET", f"{DOCUMENTS}?cursor=nonsense")) == (400, "invalid_cursor")
    assert error(api.call("GET", f"{DOCUMENTS}?status=strange"))[0] == 422
    assert len(api.call("GET", "/v1/jobs?status=queued&collection=handbook").json()["data"]) == 5


def test_events_of_a_job_that_is_over_are_its_final_state(api: Api) -> None:
    job = api.text().json()["job"]
    api.work()
    response = api.call("GET", f"/v1/jobs/{job['id']}/events")
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert [each["status"] for each in events] == ["ready"]


def test_a_call_without_a_grant_is_not_accepted(api: Api) -> None:
    headers = {name: value for name, value in api.headers().items() if name == "Authorization"}
    response = api.client.post(DOCUMENTS, json={"text": "a"}, headers=headers)
    assert error(response) == (400, "grant_missing")


def test_a_path_in_a_file_name_is_cut_off(api: Api) -> None:
    response = api.file("../../etc/pass\u202ewd.txt", b"words")
    assert response.json()["document"]["source"] == "passwd.txt"


def test_uploads_are_refused_in_words_before_they_fill_the_disk(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Dependencies = api.client.app.state.dependencies  # type: ignore[attr-defined]
    full = replace(opened, room=DiskRoom(Path("/"), 2**60))
    monkeypatch.setattr(api.client.app.state, "dependencies", full)  # type: ignore[attr-defined]
    archive = {"content": b"PK", "headers": {"Content-Type": "application/zip"}}
    for answer in (
        api.text(),
        api.file("a.txt", b"words"),
        api.call("POST", f"{DOCUMENTS}:batch", json={"documents": [{"text": "x"}]}),
        api.call("POST", f"{DOCUMENTS}:restore", **archive),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "disk_full")
        assert answer.headers["Retry-After"]
    assert api.call("GET", DOCUMENTS).status_code == 200
