"""The names in a ZIP file's directory, read from the file's ends alone."""

from __future__ import annotations

import struct

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_END = b"PK\x05\x06"
_END_SIZE = 22
_ENTRY = b"PK\x01\x02"
_ENTRY_SIZE = 46
_LOCAL = b"PK\x03\x04"
_LOCAL_SIZE = 30
MAX_NAMES = 2_000


def zip_names(head: bytes, tail: bytes) -> tuple[set[str], bool]:
    """Names in lower case, and whether the directory lies in the tail as a whole, so that these are all of them."""
    end = tail.rfind(_END)
    if end >= 0 and len(tail) - end >= _END_SIZE:
        count, size = struct.unpack_from("<HI", tail, end + 10)
        if size <= end:
            names = _directory(tail, end - size)
            return names, len(names) >= min(count, 1)
    return _directory(tail, max(tail.find(_ENTRY), 0)) | _first(head), False


def _directory(data: bytes, position: int) -> set[str]:
    """Names of the entries that follow each other from a position on."""
    names: set[str] = set()
    while data[position : position + 4] == _ENTRY and position + _ENTRY_SIZE <= len(data) and len(names) < MAX_NAMES:
        name, extra, comment = struct.unpack_from("<HHH", data, position + 28)
        names.add(_name(data[position + _ENTRY_SIZE : position + _ENTRY_SIZE + name]))
        position += _ENTRY_SIZE + name + extra + comment
    return names


def _first(head: bytes) -> set[str]:
    """The name of the first entry; what follows it can't be told from its content."""
    if not head.startswith(_LOCAL) or len(head) < _LOCAL_SIZE:
        return set()
    (length,) = struct.unpack_from("<H", head, 26)
    return {_name(head[_LOCAL_SIZE : _LOCAL_SIZE + length])}


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\\", "/").lower()
