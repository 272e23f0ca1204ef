"""Becomes a process with exactly the environment that a file says.

supervisord's configuration can't carry every value (its parser drops quotes), and a file keeps secrets out of the
argument list. Standard library only, and no package around it, so that it costs milliseconds:

    python -I -S launch.py HOME/run/programs/gateway.json [MODULE]
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

FILES = 8192
"""Descriptors that a process may have, where the system allows it: the gateway takes 2,048 calls, each with another."""


def prepare(file: str) -> dict[str, Any]:
    """Give this process the descriptors and rights of the program that a file describes, and return what it says."""
    with open(file, encoding="utf-8") as stream:  # noqa: PTH123  # pathlib would double the time it takes
        program: dict[str, Any] = json.load(stream)
    os.umask(0o077)
    kept = program.get("keep", FILES)
    os.closerange(3, kept)  # only the gateway has anything to do with the socket that supervisord holds
    os.closerange(kept + 1, FILES)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        limit = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    return program


if __name__ == "__main__":
    described = prepare(sys.argv[1])
    os.execve(described["command"][0], described["command"], described["environment"])  # noqa: S606  # its purpose
