from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from services.ingest.tests.api.client import DOCUMENTS, LIMIT, Api, error

from ingest.dependencies import Dependencies
from servicekit.core.disk import DiskRoom


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
