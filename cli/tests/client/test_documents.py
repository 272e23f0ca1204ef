from __future__ import annotations

import io
from pathlib import Path

import httpx2
import pytest
from cli.tests.server import Recorder, client_of, document, error, page

from contracts.documents.documents import DocumentCreate
from contracts.documents.jobs import Accepted
from groundwork.client import ApiError, NoSuchName

ACCEPTED = httpx2.Response(202, json={"document": document()})


def test_a_file_is_sent_under_its_name_with_the_type_that_its_name_tells(tmp_path: Path) -> None:
    (tmp_path / "Grüße.md").write_text("# Grüße")
    server = Recorder(ACCEPTED)
    client_of(server).documents.upload("c", tmp_path / "Grüße.md", document_id="d", metadata={"year": 2026})
    sent = server.asked[0].content.decode()
    assert 'name="document_id"\r\n\r\nd\r\n' in sent
    assert 'name="metadata"\r\n\r\n{"year": 2026}\r\n' in sent
    assert "Content-Type: text/markdown\r\n\r\n# Grüße\r\n" in sent
    assert "Grüße.md" in sent or "Gr%C3%BC%C3%9Fe.md" in sent
    assert 'name="title"' not in sent, "what was not said is not sent"


@pytest.mark.parametrize(
    ("name", "said", "kind"),
    [
        ("data.unheard-of", None, "application/octet-stream"),
        (None, None, "text/plain"),
        ("a.md", "text/plain", "text/plain"),
    ],
    ids=["an unknown name", "no name", "a type that was said"],
)
def test_bytes_have_a_type_whatever_is_known_of_them(name: str | None, said: str | None, kind: str) -> None:
    server = Recorder(ACCEPTED)
    client_of(server).documents.upload("c", b"bytes", filename=name, media_type=said)
    assert f"Content-Type: {kind}\r\n\r\nbytes\r\n" in server.asked[0].content.decode()


def test_a_text_or_a_url_is_sent_without_what_was_not_said() -> None:
    server = Recorder(ACCEPTED, ACCEPTED)
    with client_of(server) as client:
        client.documents.add_text("c", "A text.")
        client.documents.add_url("c", "https://example.org/a", title="A", metadata={"a": 1}, document_id="d")
    assert server.body(0) == {"text": "A text.", "metadata": {}}
    url = "https://example.org/a"
    assert server.body(1) == {"url": url, "title": "A", "metadata": {"a": 1}, "document_id": "d"}


def test_each_document_of_a_batch_has_its_result_in_order() -> None:
    refusal = {"error": {"type": "invalid_request", "code": "too_large", "message": "It is too large."}}
    server = Recorder(httpx2.Response(202, json={"results": [refusal, {"document": document()}]}))
    texts = [DocumentCreate(text="long"), DocumentCreate(text="short", title="S")]
    first, second = client_of(server).documents.add_batch("c", texts).results
    assert not isinstance(first, Accepted)
    assert first.error.code == "too_large"
    assert isinstance(second, Accepted)
    assert [each["text"] for each in server.body()["documents"]] == ["long", "short"]


def test_lists_are_narrowed_by_what_was_said_only() -> None:
    server = Recorder(page(document()), page())
    with client_of(server) as client:
        assert [each.id for each in client.documents.list("c", status="ready")] == ["doc-1"]
        assert list(client.documents.list("c", q="leave")) == []
    first, second = (dict(request.url.params) for request in server.asked)
    assert first == {"limit": "100", "status": "ready"}
    assert second == {"limit": "100", "q": "leave"}


def test_the_text_is_that_of_the_active_revision_unless_another_is_wanted() -> None:
    server = Recorder(httpx2.Response(200, text="now"), httpx2.Response(200, text="before"))
    with client_of(server) as client:
        assert client.documents.text("c", "d") == "now"
        assert client.documents.text("c", "d", revision=3) == "before"
    assert server.calls == [f"GET /v1/collections/c/documents/d/text{query}" for query in ("", "?revision=3")]


def test_bytes_come_back_as_they_are_and_an_id_can_not_leave_its_place_in_the_path() -> None:
    server = Recorder(httpx2.Response(200, content=b"\x00\xff"))
    with client_of(server) as client:
        assert client.documents.content("c", "a..b") == b"\x00\xff"
        with pytest.raises(NoSuchName, match="There is no document"):
            client.documents.content("c", "a/../b")
    assert server.calls == ["GET /v1/collections/c/documents/a..b/content"]


def test_an_archive_that_is_refused_is_an_error_and_no_archive() -> None:
    server, into = Recorder(httpx2.Response(200, content=b"zip"), error(404, "document_not_found")), io.BytesIO()
    with client_of(server) as client:
        client.documents.back_up("c", "d", into)
        with pytest.raises(ApiError) as caught:
            client.documents.back_up("c", "e", into)
    assert (into.getvalue(), caught.value.code) == (b"zip", "document_not_found")


def test_an_archive_is_sent_in_pieces_as_what_it_is() -> None:
    server = Recorder(ACCEPTED)
    client_of(server).documents.restore("c", iter([b"z", b"ip"]))
    assert server.asked[0].headers["Content-Type"] == "application/zip"
    assert server.asked[0].content == b"zip"


def test_a_summary_is_asked_for_with_what_was_said_alone() -> None:
    made = {"collection": "c", "document_id": "d", "revision": 2, "title": "T", "content": "- So. [1]", "chunks": 3}
    server = Recorder(*[httpx2.Response(200, json={**made, "annotations": [], "usage": {}})] * 2)
    with client_of(server) as client:
        assert client.documents.summary("c", "d").content == "- So. [1]"
        client.documents.summary("c", "d", sentences=2, model="large")
    assert server.calls == ["POST /v1/collections/c/documents/d/summary"] * 2
    assert (server.body(0), server.body(1)) == ({}, {"sentences": 2, "model": "large"})
