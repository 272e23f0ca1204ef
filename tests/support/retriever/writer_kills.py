"""Kills a process that writes to an embedded store while its index is built, and looks at what the store holds then."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.retriever.indexed_writer import BATCH, point_of

from retriever.stores.edge.index_builds import BuildRules
from retriever.stores.edge.store import EdgeStore

SWAP_SECONDS = 120


def _newest(store: Path) -> str:
    """The last copy that came to the shard's place; empty before the first."""
    return max((each.parent.name for each in store.glob("g@*/.whole")), key=lambda name: int(name[2:]), default="")


def _read_until(process: subprocess.Popen[str], store: Path, seconds: float, *, any_moment: bool) -> int:
    """The last batch that a writer acknowledged after so long and, unless any moment will do, right after a swap."""
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    newest, last, moment = _newest(store), -1, time.monotonic() + seconds
    for line in process.stdout:
        last, now = int(line), time.monotonic()
        if now > moment and (any_moment or _newest(store) != newest):
            break
        assert now < moment + SWAP_SECONDS, "no index came to its place"
        newest = newest if now > moment else _newest(store)
    return last


async def kill_writers(folder: Path, kills: int, seed: int) -> None:
    """Kill a writer so many times, every third time right after an index has come to its place.

    After each, the store holds every point that was acknowledged and none that was deleted.
    """
    chance, last, indexed = random.Random(seed), -1, 0
    for kill in range(kills):
        command = [sys.executable, "-m", "tests.support.retriever.indexed_writer", str(folder), str(last + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220  # nothing else runs
            try:
                read = _read_until(process, folder, chance.uniform(0.1, 3.0), any_moment=kill % 3 > 0)
            finally:
                process.send_signal(signal.SIGKILL)
            assert process.stdout is not None
            last = max([last, read, *(int(line) for line in process.stdout if line.endswith("\n"))])
        store = EdgeStore(folder, rules=BuildRules(points=0))
        try:
            present = await store.get_points("g", [point_of(each).id for each in range((last + 1) * BATCH)])
            missing = {each for each in range((last + 1) * BATCH) if point_of(each).id not in present}
            assert missing - {last * BATCH} == {each * BATCH for each in range(last)}, "what was deleted is gone"
            indexed = max(indexed, (await store.get_index_status("g")).indexed_points)
        finally:
            await store.close()
    assert last > kills
    assert indexed > 0, "no kill came after a build"
