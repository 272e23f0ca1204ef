"""What the tests of the formats have in common: reading bytes as the worker's child would, and packing ZIP files."""

from __future__ import annotations

import io
import tempfile
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import strategies as st

from extraction.formats.reader import extract
from extraction.model.document import Builder, Extracted
from extraction.model.failures import ParseFailed
from extraction.model.limits import Limits

WORDS = st.text(st.sampled_from("abcxyzÄé漢。.!?,-\t \n"), max_size=120) | st.text(max_size=60)
LONG = st.sampled_from(
    ["x" * 700, "word " * 300, "a.b.c. " * 120, "漢字" * 200, "|" * 300, "https://e.org/" + "q" * 300]
)
TEXTS = WORDS | LONG
LIMITS = Limits(max_pages=20, max_text_chars=100_000)


def read(content: str | bytes, media_type: str, limits: Limits = LIMITS) -> Extracted:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        document = extract(path, media_type, limits)
    assert document.text == unicodedata.normalize("NFC", document.text)
    assert all(document.text[block.start : block.end].strip() for block in document.blocks)
    assert Extracted.from_json(document.text, document.to_json()) == document
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


@st.composite
def documents(draw: st.DrawFn) -> Extracted:
    builder = Builder()
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["heading", "paragraph", "list", "table", "code"]))
        page = draw(st.sampled_from([None, 1, 2]))
        if kind == "heading":
            builder.heading(draw(TEXTS), draw(st.integers(1, 4)), page)
        elif kind == "table":
            builder.rows(draw(st.lists(st.lists(WORDS, min_size=1, max_size=4), max_size=12)), page)
        else:
            builder.block(kind, draw(TEXTS), page)
    return builder.finish()
