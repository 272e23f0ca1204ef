from __future__ import annotations

import hashlib
import io

import pytest

from contracts.documents.documents import DocumentCreate
from ingest.documents.submission import MAX_METADATA_BYTES, Submission, examine, from_text, from_url
from ingest.errors import EmptyFile, InvalidField, UnsupportedDocument
from ingest.ports import Fetched


def fetched(url: str, filename: str = "", declared: str = "") -> Fetched:
    return Fetched(url, filename, declared)


def wanted(content: bytes, *, filename: str = "", declared: str = "", param: str = "file") -> Submission:
    return Submission(io.BytesIO(content), filename, declared, None, "T", "s", {}, None, param)


@pytest.mark.parametrize(
    ("text", "document_id", "title"),
    [
        ("\n  \n  The first line.\nMore.", None, "The first line."),
        ("x" * 200, None, "x" * 80),
        ("\u202eevil", None, "evil"),
        ("\n\n", None, "Untitled"),
        ("The first line.", "d-1", "d-1"),
    ],
)
def test_a_text_is_called_by_its_id_or_its_first_line(text: str, document_id: str | None, title: str) -> None:
    taken = from_text(DocumentCreate(text=text, document_id=document_id), text)
    assert (taken.fallback_title, taken.source, taken.declared) == (title, "text", "text/plain")
    assert taken.content.read().decode() == text


def test_a_text_s_metadata_is_bounded_like_a_form_s() -> None:
    with pytest.raises(InvalidField, match="at most"):
        from_text(DocumentCreate(text="a", metadata={"a": "x" * MAX_METADATA_BYTES}), "a")


def test_a_fetched_document_s_source_is_its_url_without_secrets_and_its_title_its_name_or_host() -> None:
    body = DocumentCreate(url="https://example.org/")
    named = from_url(
        body, fetched("https://u:p@example.org/a?id=7&token=s#x", "dir/plan.pdf", "application/pdf"), io.BytesIO()
    )
    assert (named.source, named.fallback_title, named.filename) == ("https://example.org/a?id=7", "plan", "plan.pdf")
    assert from_url(body, fetched("https://example.org/"), io.BytesIO()).fallback_title == "example.org"


async def test_bytes_are_hashed_and_told_wherever_they_were_read_to() -> None:
    content = b"The word and the price. " * 30_000
    given = wanted(content, filename="long.txt")
    given.content.read(100)
    found = await examine(given)
    assert (found.sha256, found.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert found.media_type == "text/plain"


@pytest.mark.parametrize(("content", "param"), [(b"", "file"), (b"", "url"), (b" \n\t", "text")])
async def test_what_is_empty_is_refused_by_what_it_was_given_as(content: bytes, param: str) -> None:
    with pytest.raises(EmptyFile) as refused:
        await examine(wanted(content, filename="a.txt", declared="text/plain", param=param))
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("filename", "declared", "param", "kind"),
    [
        ("a.md", "text/html", "file", "text/markdown"),  # an upload: its name first
        ("a.md", "text/html", "url", "text/html"),  # a page: what its server says first
        ("a.md", "text/plain", "url", "text/markdown"),  # unless that is what servers say of anything
        ("a.md", "application/octet-stream", "url", "text/markdown"),
        ("a.md", "image/png", "url", "text/markdown"),  # or nothing that can be read
    ],
)
async def test_of_a_name_and_a_declared_type_the_one_that_knows_more_wins(
    filename: str, declared: str, param: str, kind: str
) -> None:
    assert (await examine(wanted(b"Just words.", filename=filename, declared=declared, param=param))).media_type == kind


async def test_what_cannot_be_read_is_refused_with_what_can_and_by_what_it_was_given_as() -> None:
    with pytest.raises(UnsupportedDocument, match=r"Supported are .*PDF") as refused:
        await examine(wanted(b"\x89PNG\r\n\x1a\n", filename="a.png", declared="image/png", param="url"))
    assert refused.value.param == "url"
