from __future__ import annotations

from libs.extraction.tests.cases import LAUGHS, failure, outline, packed, read

from extraction.formats.catalog import EPUB

CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
BOOK = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>The Plover</dc:title></metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="b%20two.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/>
<item id="i" href="i.png" media-type="image/png"/></manifest>
<spine><itemref idref="nav"/><itemref idref="b"/><itemref idref="i"/><itemref idref="a"/></spine></package>"""
CHAPTERS = {
    "OEBPS/nav.xhtml": "<html><body><nav>Contents</nav><p>Contents</p></body></html>",
    "OEBPS/b two.xhtml": "<html><head><title>x</title></head><body><h1>One</h1><p>First words.</p></body></html>",
    "OEBPS/text/a.xhtml": "<html><body><h1>Two</h1><h2>Deeper</h2><p>Last words.</p></body></html>",
    "OEBPS/i.png": b"\x89PNG",
}
PARTS = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": BOOK,
    **CHAPTERS,
}


def test_chapters_come_in_the_order_of_the_spine_with_their_headings() -> None:
    document = read(packed(PARTS), EPUB)
    assert document.title == "The Plover"
    assert outline(document) == [
        ("heading", "One"),
        ("paragraph", "First words."),
        ("heading", "Two"),
        ("heading", "Deeper"),
        ("paragraph", "Last words."),
    ]
    assert document.blocks[-1].heading_path == ("Two", "Deeper")


def test_a_locked_book_says_so_and_one_with_hidden_fonts_is_read() -> None:
    fonts = '<encryption><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/></encryption>'
    locked = fonts.replace("http://www.idpf.org/2008/embedding", "http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    assert "First words." in read(packed({**PARTS, "META-INF/encryption.xml": fonts}), EPUB).text
    assert failure(packed({**PARTS, "META-INF/encryption.xml": locked}), EPUB).code == "encrypted"


def test_entities_are_never_expanded_and_missing_parts_are_malformed() -> None:
    laughing = BOOK.replace('<?xml version="1.0"?>', f'<?xml version="1.0"?>{LAUGHS}').replace("The Plover", "T&e;&f;")
    document = read(packed({**PARTS, "OEBPS/book.opf": laughing}), EPUB)
    assert document.title == "T"
    assert failure(packed({**PARTS, "META-INF/container.xml": LAUGHS + CONTAINER}), EPUB).code == "malformed"
    assert failure(packed({**PARTS, "OEBPS/book.opf": "<package/>"}), EPUB).code == "no_text"
    missing = {name: content for name, content in PARTS.items() if name != "OEBPS/text/a.xhtml"}
    assert failure(packed(missing), EPUB).code == "malformed"
