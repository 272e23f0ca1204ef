from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import draw, drawn

from extraction.formats.catalog import FORMATS, PDF, TEXT
from extraction.formats.reader import parts
from extraction.model.document import START, Extracted, Resume
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits
from extraction.pdf.parser import PART_PAGES
from extraction.sandbox import extract_task

LIMITS = Limits(max_pages=100, max_text_chars=1_000_000)


def _options(media_type: str, resume: Resume = START) -> dict[str, object]:
    resumed = {"parts": resume.parts, "pages": resume.pages, "chars": resume.chars, "state": dict(resume.state)}
    options = {"media_type": media_type, "max_pages": 100, "max_text_chars": 1_000_000, "resume": resumed}
    return dict(json.loads(json.dumps(options)))  # as a worker's child gets them


def _written(folder: Path, line: str) -> Extracted:
    text = (folder / f"{line}.text").read_bytes().decode()
    return Extracted.from_json(text, json.loads((folder / f"{line}.json").read_text()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    return folder


def test_each_part_lies_there_whole_before_its_line_is_said(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "document.pdf"
    source.write_bytes(drawn(*[lambda canvas: draw(canvas, "prose", 1)] * (PART_PAGES + 1)))
    direct, resume = list(parts(source, PDF, LIMITS, START)), START
    assert len(direct) == 2
    for number, line in enumerate(extract_task.run(source, folder, _options(PDF))):
        assert line == str(number)
        assert _written(folder, line) == direct[number]
        assert not (folder / f"{number + 1}.json").exists()
    resume = resume.after(direct[0])
    (line,) = extract_task.run(source, folder, _options(PDF, resume))
    assert (line, _written(folder, line)) == ("0", direct[1])


def test_line_breaks_and_characters_of_a_text_are_kept(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "document"
    source.write_bytes("erste Zeile\nzweite 漢字 𝑥\n\nnächster Absatz".encode())
    (line,) = extract_task.run(source, folder, _options(TEXT))
    assert (folder / f"{line}.text").read_bytes() == source.read_bytes()


def test_what_can_not_be_read_is_told_and_nothing_is_written(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "document"
    source.write_bytes(b"%PDF-1.7 broken")
    with pytest.raises(ParseFailed):
        list(extract_task.run(source, folder, _options(PDF)))
    assert list(folder.iterdir()) == []


def test_all_that_a_document_may_need_is_imported_before_a_child_is_forked() -> None:
    assert {each.parser for each in FORMATS} < set(extract_task.PRELOADED)
    assert len(set(extract_task.PRELOADED)) == len(extract_task.PRELOADED)
    assert all(import_module(name) for name in extract_task.PRELOADED)
