from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from libs.extraction.tests.cases import LIMITS, read
from libs.extraction.tests.pdf_pages import STYLES, typeset
from reportlab.platypus import Paragraph

from extraction.formats.catalog import HTML, PDF, TEXT
from extraction.model.failures import LeftTooMuch, ParseFailed
from extraction.sandbox import extractor, sandbox
from extraction.sandbox.extractor import SandboxedExtractor


async def test_the_child_answers_like_the_parser_itself(tmp_path: Path) -> None:
    path, content = tmp_path / "document", typeset(Paragraph("A word.", STYLES["Normal"]))
    path.write_bytes(content)
    with closing(SandboxedExtractor(LIMITS, seconds=600, memory_bytes=1 << 30)) as process:
        assert await process.extract(path, PDF) == read(content, PDF)


async def test_a_child_that_takes_too_long_or_too_much_memory_fails_only_its_document(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_text("<p>" + "<b>" * 3_000_000)
    with closing(SandboxedExtractor(LIMITS, seconds=0.01, memory_bytes=1 << 30)) as process:
        with pytest.raises(ParseFailed) as failure:
            await process.extract(path, TEXT)
        assert failure.value.code == "timeout"
    with closing(SandboxedExtractor(LIMITS, seconds=600, memory_bytes=128 << 20)) as process:
        with pytest.raises(ParseFailed) as failure:
            await process.extract(path, HTML)
        assert failure.value.code == "too_large"
        path.write_text("words")
        assert (await process.extract(path, TEXT)).text == "words"


@pytest.mark.parametrize("bound", ["MOST_STRUCTURE_BYTES", "UTF8_BYTES"])
async def test_no_more_is_parsed_of_what_a_child_leaves_than_a_part_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(extractor, bound, 0)
    path = tmp_path / "document"
    path.write_text("words")
    with closing(SandboxedExtractor(LIMITS, seconds=600, memory_bytes=1 << 30)) as process:
        with pytest.raises(LeftTooMuch, match=r"left more than 0 bytes of .* Split it") as failure:
            await process.extract(path, TEXT)
        assert failure.value.code == "too_large"


async def test_no_more_is_parsed_of_a_failure_than_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MOST_FAILURE_BYTES", 10)
    path = tmp_path / "document"
    path.write_bytes(b"no PDF")
    with (
        closing(SandboxedExtractor(LIMITS, seconds=600, memory_bytes=1 << 30)) as process,
        pytest.raises(LeftTooMuch, match="reasons for a failure"),
    ):
        await process.extract(path, PDF)
