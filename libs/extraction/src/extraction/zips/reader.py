"""Opening ZIP files of any kind without trusting them: how much they may hold, and what damage looks like."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lxml import etree

from extraction.model.failures import encrypted, is_damage, malformed, too_large

MAX_ENTRIES = 20_000
MAX_EXPANDED = 2 << 30
"""Bytes that all entries together may say to expand to; reading stops at what an entry says."""
MAX_RATIO = 250
"""What deflate makes of an honest document is below 100; a bomb reaches 1,000."""
HARMLESS = 50 << 20
"""Bytes up to which the ratio does not matter."""
UTF8 = 0x800
ENCRYPTED = 0x1
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    etree.LxmlError,
)


@contextmanager
def unpacked(path: Path, kind: str) -> Iterator[zipfile.ZipFile]:
    """An archive whose directory is sound and within bounds. Whatever breaks while it is read makes `malformed`."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist(), path.stat().st_size, kind)
            yield archive
    except DAMAGE as error:
        if not is_damage(error):
            raise
        raise malformed(kind) from None


def parsed(content: bytes) -> etree._Element:
    """XML without its comments; raises `ValueError` for one with a document type, which no such format needs.

    Entities are never expanded and nothing is fetched; depth and text of one node are bounded by libxml2.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(content, parser)
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a document type")
    return root


def _check(entries: list[zipfile.ZipInfo], size: int, kind: str) -> None:
    if any(entry.flag_bits & ENCRYPTED for entry in entries):
        raise encrypted(kind)
    expanded = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or expanded > MAX_EXPANDED or (expanded > HARMLESS and expanded > size * MAX_RATIO):
        raise too_large()
