"""What the tests of the formats have in common: reading bytes as the worker's child would, and packing ZIP files."""

from __future__ import annotations

import io
import tempfile
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from extraction.formats.registry import Limits, extract
from extraction.model.document import Extracted
from extraction.model.failures import ParseFailed

LIMITS = Limits(max_pages=20, max_text_chars=100_000)


def read(content: str | bytes, media_type: str, limits: Limits = LIMITS) -> Extracted:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        document = extract(path, media_type, limits)
    assert document.text == unicodedata.normalize("NFC", document.text)
    assert all(document.text[block.start : block.end].strip() for block in document.blocks)
    return document


def failure(content: str | bytes, media_type: str, limits: Limits = LIMITS) -> ParseFailed:
    with pytest.raises(ParseFailed) as raised:
        read(content, media_type, limits)
    return raised.value


def outline(document: Extracted) -> list[tuple[str, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def packed(members: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            stored = zipfile.ZIP_STORED if name == "mimetype" else None
            archive.writestr(name, content, compress_type=stored)
    return buffer.getvalue()


def repacked(package: bytes, changed: Mapping[str, str | bytes]) -> bytes:
    """A package with some of its parts replaced, or added."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return packed({**parts, **changed})


def part(package: bytes, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return archive.read(name).decode()


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">'
    '<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f SYSTEM '
    '"file:///etc/hostname">]>'
)


def laughing(xml: str, inside: str) -> str:
    """XML with a document type that defines entities, which are used within an element."""
    declaration, _, rest = xml.partition("?>")
    return f"{declaration}?>{LAUGHS}{rest.replace(inside, inside + '&e;&f;', 1)}"
