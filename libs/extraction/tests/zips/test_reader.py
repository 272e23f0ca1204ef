from __future__ import annotations

import pytest
from libs.extraction.tests.cases import failure, packed

from extraction.containers.members import Allowance
from extraction.formats.catalog import ZIP
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits
from extraction.zips import reader as archives


def test_a_locked_archive_says_so() -> None:
    content = bytearray(packed({"a.txt": "words"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert failure(bytes(content), ZIP).code == "encrypted"


def test_bombs_are_refused_by_ratio_size_and_number() -> None:
    assert failure(packed({"bomb.txt": b" " * (archives.HARMLESS + 1)}), ZIP).code == "too_large"
    many = {f"{number}/": "" for number in range(archives.MAX_ENTRIES + 1)}
    assert failure(packed(many), ZIP).code == "too_large"
    allowance = Allowance(Limits(1, 1), members=1, expanded=100)
    allowance.take_member()
    allowance.take_bytes(60)
    with pytest.raises(ParseFailed, match="more memory or room"):
        allowance.take_member()
    with pytest.raises(ParseFailed, match="more memory or room"):
        allowance.take_bytes(60)
