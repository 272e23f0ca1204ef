from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import signal
import unicodedata
import zipfile
from collections.abc import Callable
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from docx import Document as DocxDocument
from hypothesis import given
from hypothesis import strategies as st
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

from contracts.formats import DOCX, HTML, MARKDOWN, PDF, TEXT, ZIP
from extraction.containers import archive
from extraction.formats.registry import Limits, extract
from extraction.model.document import Extracted, clean
from extraction.model.failures import ParseFailed
from extraction.sandbox import extract_task as task
from extraction.sandbox import worker as child
from extraction.sandbox.extractor import ParsingProcess
from extraction.sandbox.pool import NurseryLost
from extraction.sandbox.worker import NOT_NOW
from extraction.text.charsets import decode

LIMITS = Limits(max_pages=20, max_text_chars=100_000)
Write = Callable[[str | bytes, str], Extracted]


@pytest.fixture
def read(tmp_path: Path) -> Write:
    def read_(content: str | bytes, media_type: str) -> Extracted:
        path = tmp_path / "document"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        document = extract(path, media_type, LIMITS)
        assert document.text == unicodedata.normalize("NFC", document.text)
        assert all(document.text[block.start : block.end].strip() for block in document.blocks)
        assert Extracted.from_json(document.text, document.to_json()) == document
        return document

    return read_


def outline(document: Extracted) -> list[tuple[str, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def pdf(*content: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4, **options).build(list(content))
    return buffer.getvalue()


STYLES = getSampleStyleSheet()


def test_pdf_keeps_table_rows_on_a_line_joins_wrapped_prose_and_knows_its_pages(read: Write) -> None:
    prose = "Customers may return what they bought within thirty days of its delivery. " * 4
    table = Table([["Product", "Price"], ["Plover", "EUR 249"], ["Heron", "EUR 99"]], colWidths=[200, 100])
    document = read(pdf(Paragraph(prose, STYLES["Normal"]), PageBreak(), table, title="Price list"), PDF)
    assert document.pages == 2
    assert document.title == "Price list"
    assert outline(document) == [
        ("paragraph", prose.strip()),
        ("table", "Product | Price\nPlover | EUR 249\nHeron | EUR 99"),
    ]
    assert [block.page for block in document.blocks] == [1, 2]


def test_pdf_headings_are_told_by_size_and_running_headers_are_left_out(read: Write) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for number in range(1, 5):
        canvas.setFont("Helvetica", 8)
        canvas.drawString(60, 810, "Handbook of the company")
        canvas.drawString(280, 30, f"Page {number} of 4")
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(60, 760, f"Chapter {number}")
        canvas.setFont("Helvetica", 10)
        canvas.drawString(60, 730, f"What stands in this chapter is number {number}.")
        canvas.showPage()
    canvas.save()
    document = read(buffer.getvalue(), PDF)
    assert outline(document)[:2] == [
        ("heading", "Chapter 1"),
        ("paragraph", "What stands in this chapter is number 1."),
    ]
    assert "Handbook of the company" not in document.text
    assert [block.heading_path for block in document.blocks if block.page == 4][-1] == ("Chapter 4",)


def test_pdf_columns_are_read_one_after_the_other(read: Write) -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for left, side in ((60, "left"), (320, "right")):
        for line in range(12):
            canvas.drawString(left, 760 - 14 * line, f"The {side} column, line {line}, runs on")
    canvas.save()
    text = read(buffer.getvalue(), PDF).text
    assert text.index("left column, line 11") < text.index("right column, line 0")


def test_a_pdf_with_a_password_and_one_with_too_many_pages_say_so(read: Write) -> None:
    locked = pdf(Paragraph("secret", STYLES["Normal"]), encrypt=StandardEncryption("user", "owner"))
    with pytest.raises(ParseFailed, match="password"):
        read(locked, PDF)
    long = pdf(*(part for number in range(21) for part in (Paragraph(str(number), STYLES["Normal"]), PageBreak())))
    with pytest.raises(ParseFailed, match="Split it"):
        read(long, PDF)


def test_docx_keeps_order_headings_lists_and_tables(read: Write) -> None:
    made = DocxDocument()
    made.add_heading("Expenses", 0)
    made.add_paragraph("Who pays what.")
    made.add_heading("Limits", 1)
    made.add_paragraph("hotel", style="List Bullet")
    made.add_paragraph("train", style="List Bullet")
    table = made.add_table(rows=2, cols=3)
    for row, cells in enumerate((("Country", "Limit", "Note"), ("Spain", "EUR 150", "a night"))):
        for column, cell in enumerate(cells):
            table.cell(row, column).text = cell
    table.cell(1, 1).merge(table.cell(1, 2))
    made.add_paragraph("The end.")
    buffer = io.BytesIO()
    made.save(buffer)
    document = read(buffer.getvalue(), DOCX)
    assert document.title == "Expenses"
    assert outline(document) == [
        ("heading", "Expenses"),
        ("paragraph", "Who pays what."),
        ("heading", "Limits"),
        ("list", "- hotel\n- train"),
        ("table", "Country | Limit | Note\nSpain | EUR 150 a night"),
        ("paragraph", "The end."),
    ]


def test_html_shows_what_a_reader_sees(read: Write) -> None:
    page = """<!doctype html><title>FAQ &amp; more</title><nav>Home</nav><script>alert(1)</script>
    <h1>FAQ</h1><p>First<br>second <b>bold</b>
    line</p><div hidden>not this</div><h2>Table</h2><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>
    <table><tr><th>Name</th><th>Price</th></tr><tr><td>Plover</td><td>EUR <i>249</i></td></tr></table>
    <pre>code
  indented</pre>tail"""
    document = read(page, HTML)
    assert document.title == "FAQ & more"
    assert outline(document) == [
        ("heading", "FAQ"),
        ("paragraph", "First\nsecond bold line"),
        ("heading", "Table"),
        ("list", "- one\n  - inner\n- two"),
        ("table", "Name | Price\nPlover | EUR 249"),
        ("code", "code\n  indented"),
        ("paragraph", "tail"),
    ]
    assert document.blocks[-1].heading_path == ("FAQ", "Table")


def test_markdown_loses_its_marks_but_not_its_structure(read: Write) -> None:
    source = """---
title: "From the front"
---
# Policy *one*

Return **within 30
days**, see [the list](https://example.org).

1. first
2. second
   - inner

| a | b |
|---|---|
| 1 | 2 |

```sh
make demo
```
> quoted

## Deeper

text
"""
    document = read(source, MARKDOWN)
    assert document.title == "From the front"
    assert outline(document) == [
        ("heading", "Policy one"),
        ("paragraph", "Return within 30 days, see the list."),
        ("list", "1. first\n2. second\n  - inner"),
        ("table", "a | b\n1 | 2"),
        ("code", "make demo"),
        ("paragraph", "quoted"),
        ("heading", "Deeper"),
        ("paragraph", "text"),
    ]
    assert document.blocks[-1].heading_path == ("Policy one", "Deeper")


def test_text_is_parted_by_blank_lines(read: Write) -> None:
    assert outline(read("one\r\ntwo\r\n\r\n \r\nthree", TEXT)) == [("paragraph", "one\ntwo"), ("paragraph", "three")]
    titled = read("Title\n=====\n\nIntro.\n\n1. BEFORE YOU GO\n\nPack. 2 KG", TEXT)
    assert titled.title == "Title"
    assert [block.heading_path for block in titled.blocks][-1] == ("Title", "1. BEFORE YOU GO")
    assert titled.text == "Title\n\nIntro.\n\n1. BEFORE YOU GO\n\nPack. 2 KG"
    with pytest.raises(ParseFailed) as failure:
        read(" \n\n ", TEXT)
    assert failure.value.code == "no_text"
    with pytest.raises(ParseFailed) as failure:
        read("word " * 30_000, TEXT)
    assert failure.value.code == "too_large"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "cp1252"])
def test_text_is_decoded_by_what_it_is(encoding: str) -> None:
    text = "Größe und Preis: 30 € für die Prüfung, später auch für Öl. " * 5
    content = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    assert decode(content) == text


def test_html_is_decoded_by_the_charset_it_names() -> None:
    page = '<meta charset="iso-8859-7"><p>Καλημέρα κόσμε</p>'
    assert "Καλημέρα" in decode(page.encode("iso-8859-7"), html=True)


@given(st.text())
def test_clean_text_stays_as_it_is_when_cleaned_again(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert "\0" not in cleaned
    assert "\r" not in cleaned
    cleaned.encode()


async def test_the_child_answers_like_the_parser_itself(tmp_path: Path, read: Write) -> None:
    content = pdf(Paragraph("A word.", STYLES["Normal"]))
    expected = read(content, PDF)
    with closing(ParsingProcess(LIMITS, seconds=30, memory_bytes=1 << 30)) as process:
        assert await process.extract(tmp_path / "document", PDF) == expected


async def test_a_child_that_takes_too_long_or_too_much_memory_fails_only_its_document(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("<p>" + "<b>" * 3_000_000)
    with closing(ParsingProcess(LIMITS, seconds=0.01, memory_bytes=1 << 30)) as process:
        with pytest.raises(ParseFailed) as failure:
            await process.extract(path, TEXT)
        assert failure.value.code == "timeout"
    with closing(ParsingProcess(LIMITS, seconds=30, memory_bytes=128 << 20)) as process:
        with pytest.raises(ParseFailed) as failure:
            await process.extract(path, HTML)
        assert failure.value.code == "too_large"
        path.write_text("words")
        assert (await process.extract(path, TEXT)).text == "words"


async def test_children_that_lose_their_nursery_blame_no_document_and_the_next_has_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("word " * 100_000)
    with closing(ParsingProcess(LIMITS, seconds=30, memory_bytes=1 << 30)) as process:
        with pytest.raises(NurseryLost):
            async with aclosing(process.parts(path, TEXT)) as parts:
                reading = asyncio.ensure_future(anext(parts))
                await asyncio.sleep(0)
                assert process.sandbox.children.nursery_pid is not None
                os.kill(process.sandbox.children.nursery_pid, signal.SIGKILL)
                await reading
        path.write_text("words")
        assert (await process.extract(path, TEXT)).text == "words"


async def test_the_child_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("INGEST_REDIS_URL", "redis://:secret@127.0.0.1/0")
    (tmp_path / "ingest").mkdir()
    (tmp_path / "ingest" / "__init__.py").write_text("raise SystemExit('ours was taken over')")
    path = tmp_path / "document"
    path.write_text("words")
    with closing(ParsingProcess(LIMITS, 30, 1 << 30)) as process:
        assert (await process.extract(path, TEXT)).text == "words"


@pytest.mark.parametrize(("number", "status", "code"), [(errno.ENOSPC, NOT_NOW, None), (errno.EFBIG, 0, "too_large")])
@pytest.mark.parametrize("where", ["parts", "member"])
def test_a_full_disk_is_no_documents_fault_and_a_full_limit_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str | None, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(number, "full")

    monkeypatch.setattr(child, "_bound", lambda *_: None)
    monkeypatch.setattr(child.gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr(*(task, "parts", full) if where == "parts" else (archive, "read_member", full))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("a.txt", "words")
    bounds = {"task": task.__name__, "memory_bytes": 1, "seconds": 1, "file_bytes": 1}
    options = {**bounds, "media_type": ZIP, "max_pages": 9, "max_text_chars": 99, "resume": {}}
    (tmp_path / "options.json").write_text(json.dumps(options))
    assert child.main(str(tmp_path / "a.zip"), str(tmp_path)) == status
    failure = tmp_path / "failure.json"
    assert (json.loads(failure.read_text())["code"] if failure.exists() else None) == code


@pytest.mark.parametrize("depth", [100, 249, 250, 251, 300, 20_000])
@pytest.mark.parametrize("element", ["div", "span", "blockquote", "ul><li"])
def test_html_is_read_however_deep_it_is_nested(tmp_path: Path, depth: int, element: str) -> None:
    source, end = tmp_path / "deep.html", "".join(f"</{name}>" for name in reversed(element.split("><")))
    inner = "<p>Deep text.</p><script>never()</script><p>More of <b>it</b>.</p>"
    body = f"<p>Top.</p>{f'<{element}>' * depth}{inner}{end * depth}<p>Bottom.</p>"
    source.write_text(f"<html><body>{body}</body></html>")
    text = extract(source, HTML, Limits(10, 100_000)).text
    words = " ".join(text.replace("- ", "").split())
    assert words == "Top. Deep text. More of it. Bottom."
