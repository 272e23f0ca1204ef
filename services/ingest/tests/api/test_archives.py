from __future__ import annotations

import io
import zipfile

import pytest
from services.ingest.tests.api.client import DOCUMENTS, Api, error

BACKUP, RESTORE = f"{DOCUMENTS}/a/backup", "/v1/collections/copy/documents:restore"
ZIP = {"Content-Type": "application/zip"}
TEXT = "The word and the price. " * 40


@pytest.fixture
def archive(api: Api) -> bytes:
    """Of a document that is ready, and an empty collection beside its own."""
    assert api.call("POST", "/v1/collections", json={"name": "copy"}).status_code == 201
    api.text(TEXT, document_id="a", title="Prices")
    api.work()
    return bytes(api.call("GET", BACKUP).content)


def test_an_archive_is_a_file_of_its_length_that_no_browser_opens(api: Api, archive: bytes) -> None:
    answer = api.call("GET", BACKUP)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-disposition"] == 'attachment; filename="a.zip"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert zipfile.ZipFile(io.BytesIO(archive)).read("original").decode() == TEXT


def test_a_document_is_restored_by_a_job_and_a_second_time_by_none(api: Api, archive: bytes) -> None:
    before = len(api.notifier.notified)
    answer = api.call("POST", RESTORE, content=archive, headers=ZIP)
    assert (answer.status_code, answer.json()["unchanged"]) == (202, False)
    assert api.notifier.notified[before:] == [answer.json()["job"]["id"]]
    api.work()
    shown = api.call("GET", "/v1/collections/copy/documents/a").json()
    assert (shown["status"], shown["title"]) == ("ready", "Prices")
    again = api.call("POST", RESTORE, content=archive, headers={"Content-Type": "Application/Zip; x=y"})
    assert (again.status_code, again.json()["unchanged"], again.json()["job"]) == (200, True, None)
    assert len(api.notifier.notified) == before + 1


def test_nothing_is_overwritten(api: Api, archive: bytes) -> None:
    api.call("POST", "/v1/collections/copy/documents", json={"text": "Other words.", "document_id": "a"})
    assert error(api.call("POST", RESTORE, content=archive, headers=ZIP)) == (409, "document_differs")


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"PK", {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
        (b"PK", {}, (415, "unsupported_media_type")),
        (b"no archive", {"Content-Type": "application/octet-stream"}, (400, "archive_damaged")),
        (b"", ZIP, (400, "archive_damaged")),
        (b"PK", {**ZIP, "Groundwork-Grant": ""}, (400, "grant_missing")),
    ],
)
def test_what_cannot_be_restored_is_refused_and_wakes_nobody(
    api: Api, archive: bytes, content: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    before = list(api.notifier.notified)
    assert error(api.call("POST", RESTORE, content=content, headers=headers)) == expected
    assert api.notifier.notified == before


def test_a_key_backs_up_and_restores_only_what_it_may_see(api: Api, archive: bytes) -> None:
    limited = api.headers(collections=("other",))
    assert error(api.call("GET", BACKUP, headers=limited)) == (403, "collection_not_allowed")
    sent = {**limited, **ZIP}
    assert error(api.call("POST", RESTORE, content=archive, headers=sent)) == (403, "collection_not_allowed")
    assert error(api.call("GET", BACKUP, headers=api.headers("globex")))[0] == 404
    reading = {**api.headers(scopes=("search",)), **ZIP}
    assert api.call("GET", BACKUP, headers=reading).status_code == 200
    assert api.call("POST", RESTORE, content=archive, headers=reading).status_code == 403
    nowhere = "/v1/collections/nowhere/documents:restore"
    assert error(api.call("POST", nowhere, content=archive, headers=ZIP)) == (404, "collection_not_found")
