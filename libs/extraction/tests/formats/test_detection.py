from __future__ import annotations

import io
from email.message import EmailMessage

import pytest
from docx import Document
from libs.extraction.tests.cases import packed
from openpyxl import Workbook
from pptx import Presentation

from extraction.formats import detection
from extraction.formats.catalog import (
    CODE,
    CSV,
    DOCX,
    EML,
    EPUB,
    FORMATS,
    HTML,
    JSON,
    JSONL,
    PDF,
    PPTX,
    TEXT,
    TSV,
    XLSX,
    ZIP,
)
from extraction.formats.detection import HEAD, Received, detect, is_textless
from extraction.formats.format import Format, Registry
from extraction.model.failures import ParseFailed

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def told(content: bytes, filename: str = "", declared: str = "") -> str:
    return detect(Received(content[:HEAD], content[-HEAD:], b"\0" in content, filename, declared))


def refusal(content: bytes, filename: str = "", declared: str = "") -> str:
    with pytest.raises(ParseFailed) as raised:
        told(content, filename, declared)
    assert raised.value.code == "unsupported"
    return raised.value.message


def office(made: object) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["right", "wrong.pdf", "wrong.txt", "wrong.docx", "wrong.xlsx", "wrong.zip", "a.b.c"])
def test_content_decides_before_the_name_does(name: str) -> None:
    assert told(office(Document()), name) == DOCX
    assert told(office(Workbook()), name) == XLSX
    assert told(office(Presentation()), name) == PPTX
    assert told(packed({"mimetype": "application/epub+zip", "META-INF/container.xml": "x"}), name) == EPUB
    assert told(b"%PDF-1.7\n" + bytes(100), name) == PDF


def test_an_archive_of_office_files_is_an_archive() -> None:
    assert told(packed({"word/document.xml": office(Document()), "a.docx": office(Document())}), "files.zip") == ZIP
    assert told(packed({"a.txt": "x"}), "files.docx") == ZIP


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", CSV),
        ("a.TSV", TSV),
        ("a.json", JSON),
        ("a.ndjson", JSONL),
        ("a.py", CODE),
        ("Makefile", CODE),
        ("a.eml", EML),
        ("notes", TEXT),
        ("a.html", HTML),
    ],
)
def test_text_is_told_by_its_name(name: str, kind: str) -> None:
    assert told(b"some, words\n", name) == kind


def test_what_text_says_of_itself_counts_more_than_a_plain_name() -> None:
    made = EmailMessage()
    made["Subject"], made["From"], made["MIME-Version"] = "x", "a@example.org", "1.0"
    assert told(made.as_bytes(), "saved.txt") == EML
    assert told(b"<!DOCTYPE html><p>x", "saved.txt") == HTML
    assert told(b"<html><?php echo 1 ?>", "page.php") == CODE
    assert told(b"a,b", "", "text/csv") == CSV
    assert told(b"Subject: a plain note\nwithout a sender", "note.txt") == TEXT


def test_old_locked_and_foreign_files_are_refused_with_what_to_do() -> None:
    assert "old Office version. Save it as DOCX" in refusal(OLE, "a.doc")
    assert "Save it as EML" in refusal(OLE, "a.msg")
    assert told(OLE, "a.xlsx") == XLSX
    assert "OpenDocument" in refusal(packed({"mimetype": "application/vnd.oasis.opendocument.text"}), "a.odt")
    assert "XLSB" in refusal(packed({"[Content_Types].xml": "", "xl/workbook.bin": "x"}), "a.xlsb")
    assert "Pages" in refusal(packed({"Index/Document.iwa": "x"}), "a.pages")
    assert "rich text" in refusal(b"{\\rtf1 x}", "a.txt")
    assert "PNG image" in refusal(b"\x89PNG\r\n", "a.txt")


def test_nul_bytes_are_no_text_unless_the_text_is_wide() -> None:
    assert "NUL bytes" in refusal(b"words\0words", "a.txt")
    assert "NUL bytes" in refusal(b'{"a": "\0"}', "a.json")
    assert told("words".encode("utf-16"), "a.txt") == TEXT
    assert told("words, words".encode("utf-16-le"), "a.txt") == TEXT


@pytest.mark.parametrize(
    ("content", "filename", "declared"),
    [
        (b"\x89PNG....", "logo.png", "image/png"),
        (b"\x89PNG....", "logo.png", ""),
        (b"\x89PNG....", "cid-1", "image/x-png"),
        (b"....", "logo.png", "image/x-png"),
        (b"....", "cid-1", "image/png"),
    ],
)
def test_a_picture_in_an_archive_is_left_out_only_while_no_parser_reads_it(
    content: bytes, filename: str, declared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = Received(content, content, has_nul=False, filename=filename, declared=declared)
    assert is_textless(picture)
    png = Format(media_type="image/png", label="PNG", suffixes="png", magic=b"\x89PNG", parser="any")
    monkeypatch.setattr(detection, "FORMATS", Registry([*FORMATS, png]))
    assert not is_textless(picture)
