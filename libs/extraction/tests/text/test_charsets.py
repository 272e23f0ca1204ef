from __future__ import annotations

import pytest

from extraction.text.charsets import decode


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "cp1252"])
def test_text_is_decoded_by_what_it_is(encoding: str) -> None:
    text = "Größe und Preis: 30 € für die Prüfung, später auch für Öl. " * 5
    content = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    assert decode(content) == text


def test_html_is_decoded_by_the_charset_it_names() -> None:
    page = '<meta charset="iso-8859-7"><p>Καλημέρα κόσμε</p>'
    assert "Καλημέρα" in decode(page.encode("iso-8859-7"), html=True)
