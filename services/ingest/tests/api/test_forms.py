from __future__ import annotations

import io
from typing import Any

import pytest
from starlette.datastructures import FormData, Headers, UploadFile

from ingest.api.forms import from_form
from ingest.documents.submission import MAX_METADATA_BYTES
from ingest.errors import InvalidField


def uploaded(
    name: str | None = "notes.md", content: bytes = b"# Notes", kind: str = "text/markdown; charset=utf-8"
) -> UploadFile:
    return UploadFile(io.BytesIO(content), filename=name, headers=Headers({"content-type": kind}))


def form(**fields: Any) -> FormData:
    return FormData([("file", uploaded()), *fields.items()])


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
    nameless = [("file", uploaded(".", kind=""))]
    assert from_form(FormData([*nameless, ("document_id", "d-1")])).fallback_title == "d-1"
    assert from_form(FormData(nameless)).fallback_title == "Untitled"


@pytest.mark.parametrize(
    ("given", "param", "says"),
    [
        ([("titel", "x")], "titel", "no such field"),
        ([("file", "text")], "file", "curl -F file="),
        ([("file", uploaded()), ("title", uploaded())], "title", "plain form field"),
        (
            [("file", uploaded()), ("document_id", "no spaces")],
            "document_id",
            r"of letters \(A-Z, a-z\), digits, '\.', '_' and '-'",
        ),
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
