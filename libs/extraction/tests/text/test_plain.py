from __future__ import annotations

import pytest
from libs.extraction.tests.cases import outline, read

from extraction.formats.catalog import TEXT
from extraction.model.failures import ParseFailed


def test_text_is_parted_by_blank_lines() -> None:
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
