"""The embedded store on a disk that is full: it writes no more, and searches on."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from tests.support.home.small_disk import MEBIBYTE, small_disk

ROOT = Path(__file__).parents[3]
RESERVE = 40 * MEBIBYTE


async def _use(folder: Path, reserve: int, *steps: str) -> list[tuple[str, int]]:
    """What a process of its own says of each step; one that the system ends for want of room says no more."""
    command = [sys.executable, "-m", "tests.support.retriever.disk_writer", str(folder), str(reserve), *steps]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        said, _ = await asyncio.wait_for(child.communicate(), 240)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode == 0, f"ended with {child.returncode} after {said.decode()}"
    return [(step, int(told)) for step, told in (line.split() for line in said.decode().splitlines())]


async def test_a_full_disk_ends_no_search_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 110) as disk:
        if disk is None:  # the same with the room that is here: all but a little of it is left alone
            folder, reserve = tmp_path, shutil.disk_usage(tmp_path).free - 24 * MEBIBYTE
        else:
            folder, reserve = disk.folder, RESERVE
        first = dict(await _use(folder, reserve, "write", "search", *(["fill"] if disk else []), "search", "again"))
        assert first["write"] > 0
        assert (first["search"], first["again"]) == (first["write"], 0)
        begun_anew = dict(await _use(folder, reserve, "search", "again"))
        assert begun_anew == {"search": first["write"], "again": 0}
        with_room = dict(await _use(folder, reserve // 2, *(["empty"] if disk else []), "again", "search"))
        assert with_room["again"] > 0
        assert with_room["search"] == first["write"] + with_room["again"]
