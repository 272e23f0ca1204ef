from __future__ import annotations

from libs.extraction.tests.cases import failure, packed, read

from extraction.formats.catalog import ZIP
from extraction.model.limits import Limits


def test_an_archive_in_an_archive_is_read_and_one_deeper_is_refused() -> None:
    inner = packed({"deep.txt": "found"})
    document = read(packed({"inner.zip": inner}), ZIP)
    assert document.blocks[-1].heading_path == ("inner.zip", "deep.txt")
    refused = failure(packed({"middle.zip": packed({"inner.zip": inner})}), ZIP)
    assert refused.code == "too_large"
    assert "inner.zip" in refused.message


def test_the_text_of_all_members_count_together() -> None:
    parts = {f"{number}.txt": "word " * 300 for number in range(4)}
    assert read(packed(parts), ZIP, Limits(1, 7000)).text.count("word") == 1200
    assert failure(packed(parts), ZIP, Limits(1, 5000)).code == "too_large"
