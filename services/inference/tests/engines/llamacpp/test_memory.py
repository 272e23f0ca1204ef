from __future__ import annotations

from pathlib import Path

import pytest

from inference.catalog.gguf_files import GgufFiles
from inference.catalog.gguf_header import GgufHeader
from inference.engines.llamacpp.memory import WORKSPACE_BYTES, available_bytes, check_memory, needed_bytes
from inference.errors import ModelTooLarge

TINY = GgufHeader(
    {
        "general.architecture": "tiny",
        "tiny.block_count": 2,
        "tiny.embedding_length": 64,
        "tiny.attention.head_count": 4,
        "tiny.attention.head_count_kv": [2, 1],
    }
)


def test_a_model_needs_its_files_and_room_for_what_its_slots_remember(tmp_path: Path) -> None:
    weights, adapter = tmp_path / "m-00001-of-00002.gguf", tmp_path / "a.gguf"
    for file, size in ((weights, 100), (tmp_path / "m-00002-of-00002.gguf", 50), (adapter, 7)):
        file.write_bytes(b"x" * size)
    files = GgufFiles(weights, adapters=((adapter, 1.0),))
    keys_and_values = 10 * 2 * 2 * (16 + 16) * 2
    assert needed_bytes(files, TINY, 10) == 157 + keys_and_values + WORKSPACE_BYTES


def test_what_is_free_is_the_least_of_machine_and_container(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000 kB\nMemAvailable: 4000 kB\n")
    assert available_bytes(meminfo, tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 500000\n")
    assert available_bytes(meminfo, tmp_path) == 2_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(meminfo, tmp_path) == 4000 * 1024
    assert available_bytes(tmp_path / "none", tmp_path / "none") is None


def test_a_model_that_is_too_large_says_by_how_much_and_what_to_do() -> None:
    with pytest.raises(ModelTooLarge, match=r"m\.gguf needs about 9 MB and 5 MB are free.*memory_mb"):
        check_memory("m.gguf", 9_000_000, None, 5_000_000)
    with pytest.raises(ModelTooLarge, match="its memory_mb allows"):
        check_memory("m.gguf", 9_000_000, 8_000_000, 50_000_000)
    check_memory("m.gguf", 9_000_000, 10_000_000, 5_000_000)  # who declares it knows better
    check_memory("m.gguf", 9_000_000, None, None)
