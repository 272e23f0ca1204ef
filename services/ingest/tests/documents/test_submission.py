from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from starlette.datastructures import FormData, Headers, UploadFile

from contracts.documents.documents import DocumentCreate
from ingest.documents.submission import MAX_METADATA_BYTES, Wanted, examine, from_form, from_text, from_url
from ingest.errors import EmptyFile, InvalidField, UnsupportedDocument
from ingest.ports import Fetched


def uploaded(
    name: str | None = "notes.md", content: bytes = b"# Notes", kind: str = "text/markdown; charset=utf-8"
) -> UploadFile:
    return UploadFile(io.BytesIO(content), filename=name, headers=Headers({"content-type": kind}))


def form(**fields: Any) -> FormData:
    return FormData([("file", uploaded()), *fields.items()])


def fetched(url: str, filename: str = "", declared: str = "") -> Fetched:
    return Fetched(url, filename, declared)


def wanted(content: bytes, *, filename: str = "", declared: str = "", param: str = "file") -> Wanted:
    return Wanted(io.BytesIO(content), filename, declared, None, "T", "s", {}, None, param)


def test_a_form_says_what_a_document_is_and_its_file_s_name_the_rest() -> None:
    taken = from_form(form(metadata='{"team": "hr"}', document_id="d-1", title="Mine"))
    assert (taken.filename, taken.declared, taken.source) == ("notes.md", "text/markdown", "notes.md")
    assert (taken.title, taken.fallback_title, taken.document_id) == ("Mine", "notes", "d-1")
    assert taken.metadata == {"team": "hr"}
    empty = from_form(form(metadata="", document_id="", title=""))
    assert (empty.title, empty.document_id, empty.metadata) == (None, None, {})


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("C:\\Users\\me\\plan.txt", "plan.txt"),
        ("../../etc/passwd", "passwd"),
        ("re\u202egpj.exe\x00", "regpj.exe"),
        ("Übersicht 漢.pdf", "Übersicht 漢.pdf"),
        ("x" * 300, "x" * 255),
        ("folder/", ""),
    ],
)
def test_a_file_s_name_is_the_last_part_of_its_path_without_what_fools_a_reader(name: str, kept: str) -> None:
    taken = from_form(FormData([("file", uploaded(name))]))
    assert (taken.filename, taken.source) == (kept, kept or "upload")


def test_a_file_without_a_name_is_called_by_its_id_or_untitled() -> None:
    nameless: list[tuple[str, str | UploadFile]] = [("file", uploaded(".", kind=""))]
    assert from_form(FormData([*nameless, ("document_id", "d-1")])).fallback_title == "d-1"
    assert from_form(FormData(nameless)).fallback_title == "Untitled"


@pytest.mark.parametrize(
    ("given", "param", "says"),
    [
        ([("titel", "x")], "titel", "no such field"),
        ([("file", "text")], "file", "curl -F file="),
        ([("file", uploaded()), ("title", uploaded())], "title", "plain form field"),
        ([("file", uploaded()), ("document_id", "no spaces")], "document_id", "match pattern"),
        ([("file", uploaded()), ("title", "x" * 600)], "title", "at most"),
        ([("file", uploaded()), ("metadata", "{nope")], "metadata", "must be a JSON object"),
        ([("file", uploaded()), ("metadata", "[1]")], "metadata", "must be a JSON object"),
        ([("file", uploaded()), ("metadata", "[" * 100_000)], "metadata", "must be a JSON object"),
        ([("file", uploaded()), ("metadata", f'{{"a": "{"x" * MAX_METADATA_BYTES}"}}')], "metadata", "at most 65,536"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named_with_what_to_do(
    given: list[tuple[str, Any]], param: str, says: str
) -> None:
    with pytest.raises(InvalidField, match=says) as refused:
        from_form(FormData(given))
    assert (refused.value.http_status, refused.value.param) == (422, param)


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
