"""EPUB: the chapters in the order of the spine, each read as HTML."""

from __future__ import annotations

import posixpath
import zipfile
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from extraction.model.document import Builder, Extracted
from extraction.model.failures import encrypted, too_large
from extraction.model.limits import Limits
from extraction.model.parser import whole_file
from extraction.text import charsets as decoding
from extraction.text import html
from extraction.zips.reader import parsed, unpacked

KIND = "EPUB book"
CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
_FONT_SCHEMES = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""How fonts are obscured; a book's text that is encrypted names another scheme."""
_TEXT = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def parse(path: Path, limits: Limits) -> Extracted:
    """The book's text; its metadata name its title. The table of contents is left out, being made of the headings."""
    with unpacked(path, KIND) as archive:
        if ENCRYPTION in archive.namelist() and _is_locked(archive):
            raise encrypted(KIND)
        rootfile = next(parsed(archive.read(CONTAINER)).iter("{*}rootfile")).get("full-path", "")
        book = _without_type(archive.read(rootfile))
        builder = Builder()
        for name in _spine(book, posixpath.dirname(rootfile)):
            builder.include(html.parse(decoding.decode(archive.read(name), html=True)))
            if builder.length > limits.max_text_chars:
                raise too_large()
        return builder.finish(next((title.text for title in book.iter("{*}title") if title.text), None))


read = whole_file(parse)


def _spine(book: etree._Element, folder: str) -> list[str]:
    items = {item.get("id"): item for item in book.iterfind("{*}manifest/{*}item")}
    listed = [items[one.get("idref")] for one in book.iterfind("{*}spine/{*}itemref") if one.get("idref") in items]
    return [
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")).partition("#")[0]))
        for item in listed
        if item.get("media-type") in _TEXT and "nav" not in item.get("properties", "").split()
    ]


def _is_locked(archive: zipfile.ZipFile) -> bool:
    methods = parsed(archive.read(ENCRYPTION)).iter("{*}EncryptionMethod")
    return any(method.get("Algorithm") not in _FONT_SCHEMES for method in methods)


def _without_type(content: bytes) -> etree._Element:
    """A package document; some old ones have a document type, from which no entity is taken."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(content, parser)
