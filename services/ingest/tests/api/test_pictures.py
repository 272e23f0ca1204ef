from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import page_of
from services.ingest.tests.api.client import DOCUMENTS, Api, error

from ingest.dependencies import Dependencies
from ingest.pictures.service import AT_ONCE
from servicekit.jobs.tables import JobOwner

PDF = page_of(b"BT /F 12 Tf 50 700 Td (Ada counted seven herons.) Tj ET")
PAGE = f"{DOCUMENTS}/{{id}}/pages/1.png"


def _pdf(api: Api, content: bytes = PDF, document_id: str = "birds") -> str:
    assert api.file("birds.pdf", content, data={"document_id": document_id}).status_code == 202
    api.work()
    return PAGE.format(id=document_id)


def test_a_page_of_a_pdf_is_a_picture_with_the_place_of_a_span(api: Api) -> None:
    page = _pdf(api)
    text = api.call("GET", f"{DOCUMENTS}/birds/text").text
    start = text.index("seven")
    picture = api.call("GET", f"{page}?spans={start}-{start + 5}")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    ((left, top, right, bottom),) = json.loads(picture.headers["x-groundwork-boxes"])
    assert 0 < left < right < 1190
    assert 0 < top < bottom < 400
    assert picture.content != api.call("GET", page).content


def test_a_browser_that_has_the_picture_is_told_so_until_the_revision_is_another(api: Api) -> None:
    page = _pdf(api)
    tags = {query: api.call("GET", f"{page}{query}").headers["etag"] for query in ("", "?spans=0-3", "?spans=4-11")}
    assert len(set(tags.values())) == len(tags)
    for query, tag in tags.items():
        known = api.call("GET", f"{page}{query}", headers={"If-None-Match": f'"other", {tag}'})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    _pdf(api, page_of(b"BT /F 12 Tf 50 700 Td (Ada counted eight herons.) Tj ET"))
    assert api.call("GET", page, headers={"If-None-Match": tags[""]}).status_code == 200
    earlier = api.call("GET", f"{page}?revision=1", headers={"If-None-Match": tags[""]})
    assert earlier.status_code == 304


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("birds/pages/2.png", (404, "page_not_found")),
        ("birds/pages/0.png", (422, "invalid_body")),
        ("birds/pages/x.png", (422, "invalid_body")),
        ("nowhere/pages/1.png", (404, "document_not_found")),
        ("notes/pages/1.png", (400, "not_a_pdf")),
        ("birds/pages/1.png?revision=7", (404, "revision_not_found")),
        ("birds/pages/1.png?spans=3-3", (422, "spans_invalid")),
        ("birds/pages/1.png?spans=all", (422, "spans_invalid")),
        ("birds/pages/1.png?spans=" + ",".join(f"{n}-{n + 1}" for n in range(51)), (422, "spans_invalid")),
        ("birds/pages/1.png?spans=9000-9010", (400, "no_place_on_page")),
    ],
)
def test_what_has_no_picture_says_why(api: Api, path: str, expected: tuple[int, str]) -> None:
    _pdf(api)
    api.text(document_id="notes")
    assert error(api.call("GET", f"{DOCUMENTS}/{path}")) == expected


def test_a_page_is_its_tenant_s_and_its_collection_s(api: Api) -> None:
    page = _pdf(api)
    assert error(api.call("GET", page, headers=api.headers("globex")))[0] == 404
    elsewhere = api.headers(collections=("other",))
    assert error(api.call("GET", page, headers=elsewhere)) == (403, "collection_not_allowed")


def test_a_document_that_is_deleted_while_it_is_drawn_is_not_found(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    page = _pdf(api)
    opened: Dependencies = api.client.app.state.dependencies  # type: ignore[attr-defined]
    original = opened.blobs.local

    @asynccontextmanager
    async def local(key: str) -> AsyncIterator[Path]:
        monkeypatch.setattr(opened.blobs, "local", original)
        await opened.deletions.delete_document(JobOwner("acme", "k-acme", "r", "grant"), "token", "handbook", "birds")
        async with original(key) as path:
            yield path

    monkeypatch.setattr(opened.blobs, "local", local)
    assert error(api.call("GET", page)) == (404, "document_not_found")


def test_the_pages_before_the_text_is_read_are_drawn_without_marks(api: Api) -> None:
    assert api.file("birds.pdf", PDF, data={"document_id": "birds"}).status_code == 202
    page = PAGE.format(id="birds")
    assert api.call("GET", page).status_code == 200
    assert error(api.call("GET", f"{page}?spans=0-3")) == (400, "no_place_on_page")
    assert AT_ONCE > 1
