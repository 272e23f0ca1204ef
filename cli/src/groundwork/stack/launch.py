"""Becomes a process with exactly the environment that a file says.

supervisord's configuration can't carry every value (its parser drops quotes), and a file keeps secrets out of the
argument list. Standard library only, and no package around it, so that it costs milliseconds:

    python -I -S launch.py HOME/run/programs/gateway.json
"""

from __future__ import annotations

import json
import os
import sys

if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as stream:  # noqa: PTH123  # pathlib would double the time it takes
        program = json.load(stream)
    os.umask(0o077)
    os.execve(program["command"][0], program["command"], program["environment"])  # noqa: S606  # what this file is for
