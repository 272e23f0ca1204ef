from __future__ import annotations

from pathlib import Path

import pytest

from inference.catalog.gguf_files import GgufFiles
from inference.catalog.gguf_header import GgufHeader
from inference.engines.llamacpp.memory import WORKSPACE_BYTES, check_room, needed_bytes
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


class Gpus:
    """GPUs with so much memory, and how often they were asked for it."""

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.asked = 0

    async def bytes(self) -> int:
        self.asked += 1
        return self.size


async def room(
    gpus: Gpus, *, layers: int | None = None, bound: int | None = None, free: int | None = 5_000_000
) -> None:
    """For a model of 9 MB."""
    await check_room("m.gguf", 9_000_000, bound=bound, gpu_layers=layers, gpu_bytes=gpus.bytes, available=lambda: free)


@pytest.mark.parametrize("layers", [None, 0, 1])
async def test_a_model_that_is_too_large_is_refused_however_many_layers_are_meant_for_a_gpu_that_is_not_there(
    layers: int | None,
) -> None:
    with pytest.raises(ModelTooLarge, match=r"m\.gguf needs about 9 MB and 5 MB are free.*memory_mb"):
        await room(Gpus(), layers=layers)


async def test_the_memory_of_gpus_counts_where_layers_go_there() -> None:
    await room(Gpus(4_000_000))
    with pytest.raises(ModelTooLarge, match="8 MB are free"):
        await room(Gpus(3_000_000), layers=1)
    with pytest.raises(ModelTooLarge, match="5 MB are free"):
        await room(Gpus(4_000_000), layers=0)


async def test_gpus_are_not_asked_for_a_model_that_has_room_anyway() -> None:
    gpus = Gpus()
    await room(gpus, free=9_000_000)
    await room(gpus, free=None)
    assert not gpus.asked


async def test_who_declares_a_bound_knows_better() -> None:
    await room(Gpus(), bound=10_000_000)
    with pytest.raises(ModelTooLarge, match="8 MB its memory_mb allows"):
        await room(Gpus(), bound=8_000_000, free=50_000_000)
