from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from services.ingest.tests.api.client import DOCUMENTS, Api, error

from ingest.dependencies import Dependencies
from servicekit.jobs.tables import JobOwner


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


def test_the_retained_revisions_are_listed_newest_first_with_the_one_that_is_found(api: Api) -> None:
    for number, text in enumerate(("One.", "Two.", "Three."), 1):
        api.text(text, document_id="a", title=f"T{number}", metadata={"n": number})
        if number < 3:
            api.work()
    here = f"{DOCUMENTS}/a/revisions"
    first = api.call("GET", f"{here}?limit=2").json()
    rest = api.call("GET", f"{here}?limit=2&cursor={first['next_cursor']}").json()
    shown = [(one["revision"], one["active"], one["title"], one["metadata"]) for one in first["data"] + rest["data"]]
    assert shown == [(3, False, "T3", {"n": 3}), (2, True, "T2", {"n": 2}), (1, False, "T1", {"n": 1})]
    assert rest["next_cursor"] is None
    assert error(api.call("GET", here, headers=api.headers("globex"))) == (404, "document_not_found")


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
