"""How much memory there is for a model, and whether it is enough for what one needs."""

from __future__ import annotations

from pathlib import Path

from inference.errors import ModelTooLarge

MEGABYTE = 1_000_000
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def available_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP, *, mapped: bool = False) -> int | None:
    """Memory that can be had now, of the machine or of the container's limit; None where the system does not say.

    `mapped`: pages of files that processes use now count as free in a container, too, as they do on a machine.
    """
    known = [value for value in (_of_machine(meminfo), _of_container(cgroup, mapped)) if value is not None]
    return min(known, default=None)


def check_memory(name: str, needed: int, limit: int | None, remedy: str, *, there: str = "are free") -> None:
    """Raise `ModelTooLarge` for a model that needs more than `limit`; `there` says of what that is the limit."""
    if limit is not None and needed > limit:
        raise ModelTooLarge(f"{name} needs about {needed // MEGABYTE} MB and {limit // MEGABYTE} MB {there}. {remedy}")


def _of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    sizes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((int(size) * 1024 for size in sizes), None)


def _of_container(cgroup: Path, mapped: bool) -> int | None:
    """Of control groups, version 2; files that were only read count as free."""
    try:
        most = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        files = int(stat.get("inactive_file", 0)) + (int(stat.get("active_file", 0)) if mapped else 0)
        return None if most == "max" else int(most) - used + files
    except (OSError, ValueError):
        return None
