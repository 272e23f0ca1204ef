"""What the child process does that builds an index: `python -m retriever.stores.edge.index_worker FOLDER MIB PARENT`.

It bounds its own memory, gives way to everything else on the machine and dies with its parent. On success it writes one
line of JSON: how many points there are and how many vectors are indexed, as the engine counts them.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

import qdrant_edge as edge

_NICE = 10
_PR_SET_PDEATHSIG = 1


def main(folder: str, memory_mib: int, parent: int) -> int:
    """Optimise the shard in `folder`, which nobody else has open; `parent` is the process that asks for it."""
    _die_with(parent)
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mib << 20, memory_mib << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shard = edge.EdgeShard.load(folder)
    shard.optimize()
    shard.flush()
    info = shard.info()
    shard.close()
    sys.stdout.write(json.dumps({"points": info.points_count, "vectors": info.indexed_vectors_count}) + "\n")
    return 0


def _die_with(parent: int) -> None:
    """Nothing here can watch the parent: the engine holds the interpreter lock for all of the build."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be followed
        sys.exit("the retriever that wanted this index is gone")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
