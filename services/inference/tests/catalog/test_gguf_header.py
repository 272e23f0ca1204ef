from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tests.support.inference.packaged import packaged_gguf

from inference.catalog.gguf_header import GgufHeader, read_header
from inference.errors import FileInvalid, FileTruncated


def test_the_packaged_models_header_tells_its_shape_and_its_control_tokens() -> None:
    header = read_header(packaged_gguf())
    assert header.architecture == "llama"
    tokens = header.control_tokens()
    assert {"<|im_start|>", "<|im_end|>"} <= set(tokens)
    assert list(map(len, tokens)) == sorted(map(len, tokens), reverse=True)
    assert header.cache_bytes(1) == 30 * 3 * (64 + 64) * 2


def test_what_is_no_gguf_or_of_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    for content in (b"", b"PK\x03\x04 an archive", b"GGUF" + struct.pack("<IQQ", 1, 0, 0)):
        file.write_bytes(content)
        with pytest.raises(FileInvalid, match=r"m\.gguf is"):
            read_header(file)


@pytest.mark.parametrize("length", [5, 23, 100, 5000, 500_000])
def test_a_file_that_ends_in_its_metadata_is_truncated(tmp_path: Path, length: int) -> None:
    file = tmp_path / "m.gguf"
    with packaged_gguf().open("rb") as whole:
        file.write_bytes(whole.read(length))
    with pytest.raises(FileTruncated):
        read_header(file)


def test_lengths_that_no_file_has_take_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    for damaged in (
        struct.pack("<Q", 2**60),
        struct.pack("<Q1sIIQ", 1, b"k", 9, 4, 2**60),
        struct.pack("<Q", 1) + b"k",
    ):
        file.write_bytes(head + damaged)
        with pytest.raises(FileTruncated):
            read_header(file)


def test_a_header_that_says_little_gives_nothing_rather_than_a_failure() -> None:
    assert GgufHeader({}).cache_bytes(100) == 0
    assert GgufHeader({}).control_tokens() == ()
