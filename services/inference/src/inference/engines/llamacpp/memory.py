"""How much memory a model needs, and whether that is there: of the machine's, and of its GPUs where layers go there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from inference.catalog.gguf_files import GgufFiles
from inference.catalog.gguf_header import GgufHeader
from inference.engines.memory import MEGABYTE, available_bytes, check_memory

WORKSPACE_BYTES = 150 * MEGABYTE
"""The process itself and what it computes in: measured for models from 0.1 to 1.5 billion parameters."""
REMEDY = (
    "Take a smaller model, a shorter context_length or a smaller queue.at_once, or declare llamacpp.memory_mb if you "
    "know better"
)


def needed_bytes(files: GgufFiles, header: GgufHeader, tokens: int) -> int:
    """Memory of a model whose slots hold so many tokens together."""
    return files.size() + header.cache_bytes(tokens) + WORKSPACE_BYTES


async def check_room(
    name: str,
    needed: int,
    *,
    bound: int | None,
    gpu_layers: int | None,
    gpu_bytes: Callable[[], Awaitable[int | None]],
    available: Callable[[], int | None] = available_bytes,
) -> None:
    """Raise `ModelTooLarge` for a model that needs more than its bound, or more than there is.

    What GPUs have counts, too, unless no layer goes there. It takes a moment, so it is asked only where it decides.
    """
    limit = available() if bound is None else bound
    if limit is None or needed <= limit:
        return
    if gpu_layers != 0:
        limit += await gpu_bytes() or 0
    check_memory(name, needed, limit, REMEDY, there="are free" if bound is None else "its memory_mb allows")
