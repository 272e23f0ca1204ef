from __future__ import annotations

import pytest

from extraction.formats.catalog import FORMATS
from extraction.formats.format import Format, Registry


def test_no_two_formats_claim_the_same() -> None:
    taken = Format(media_type="text/x-other", label="other", suffixes="pdf", parser="extraction.text.plain")
    with pytest.raises(ValueError, match="both claim 'pdf'"):
        Registry([*FORMATS, taken])
