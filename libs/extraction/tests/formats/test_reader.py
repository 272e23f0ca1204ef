from __future__ import annotations

from pathlib import Path

import pytest
from libs.extraction.tests.pdf_pages import draw, drawn

from extraction.model.document import Resume
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits
from extraction.pdf.parser import read as parts


def test_too_much_text_is_refused_before_all_of_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(drawn(*[lambda canvas: draw(canvas, "prose", 1)] * 9))
    with pytest.raises(ParseFailed) as failure:
        list(parts(path, Limits(max_pages=9, max_text_chars=500), Resume()))
    assert failure.value.code == "too_large"
