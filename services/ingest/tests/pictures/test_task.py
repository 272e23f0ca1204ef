from __future__ import annotations

import json
from pathlib import Path

from libs.extraction.tests.pdf_pages import page_of, read

from ingest.parts.files import dump
from ingest.pictures.task import FACTS, PICTURE, run

CONTENT = page_of(b"BT /F 12 Tf 50 700 Td (Ada counted seven herons.) Tj ET")


def test_only_what_was_read_on_the_page_is_marked_there(tmp_path: Path) -> None:
    source = tmp_path / "file.pdf"
    source.write_bytes(CONTENT)
    extracted = read(CONTENT, tmp_path)
    (tmp_path / "text").write_text(extracted.text)
    (tmp_path / "structure").write_bytes(dump(extracted, []))
    options = {"spans": [[0, 3]], "text": str(tmp_path / "text"), "structure": str(tmp_path / "structure")}
    assert list(run(source, tmp_path, {"page": 1, **options})) == ["drawn"]
    facts = json.loads((tmp_path / FACTS).read_text())
    assert (facts["pages"], len(facts["boxes"])) == (1, 1)
    (tmp_path / PICTURE).unlink()
    assert list(run(source, tmp_path, {"page": 2, **options})) == ["drawn"]
    assert not (tmp_path / PICTURE).exists()
