"""How much memory a model needs, how much there is."""

from __future__ import annotations

from pathlib import Path

from inference.catalog.gguf_files import GgufFiles
from inference.catalog.gguf_header import GgufHeader
from inference.errors import ModelTooLarge

MEGABYTE = 1_000_000
WORKSPACE_BYTES = 150 * MEGABYTE
"""The process itself and what it computes in: measured for models from 0.1 to 1.5 billion parameters."""
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def needed_bytes(files: GgufFiles, header: GgufHeader, tokens: int) -> int:
    """Memory of a model whose slots hold so many tokens together."""
    return files.size() + header.cache_bytes(tokens) + WORKSPACE_BYTES


def available_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Memory that can be had now, of the machine or of the container's limit; None where the system does not say."""
    known = [value for value in (_of_machine(meminfo), _of_container(cgroup)) if value is not None]
    return min(known, default=None)


def check_memory(name: str, needed: int, bound: int | None, available: int | None) -> None:
    """Raise `ModelTooLarge` for a model that needs more than its bound, or more than there is."""
    limit = available if bound is None else bound
    if limit is not None and needed > limit:
        what = "its memory_mb allows" if bound is not None else "are free"
        raise ModelTooLarge(
            f"{name} needs about {needed // MEGABYTE} MB and {limit // MEGABYTE} MB {what}. Take a smaller model, a "
            "shorter context_length or a smaller queue.at_once, or declare llamacpp.memory_mb if you know better"
        )


def _of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    sizes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((int(size) * 1024 for size in sizes), None)


def _of_container(cgroup: Path) -> int | None:
    """Of control groups, version 2; files that were only read count as free."""
    try:
        most = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return None if most == "max" else int(most) - used + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):
        return None
