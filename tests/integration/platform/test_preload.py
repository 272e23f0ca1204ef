"""What is imported before a fork leaves nothing that a fork can't share."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from groundwork.stack.supervision.programs import SERVICES

LOOK = """
import asyncio, json, os, sys
from groundwork.stack.supervision.preload import preload
def look():
    return sorted(os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if int(number) > 2
                  and os.path.exists(f"/proc/self/fd/{number}"))
before = look()
for module in sys.argv[1:]:
    preload(module)
print(json.dumps({
    "threads": len(os.listdir("/proc/self/task")),
    "opened": [name for name in look() if name not in before],
    "children": open("/proc/self/task/%d/children" % os.getpid()).read().split(),
    "loop": asyncio.get_event_loop_policy()._local._loop is not None,
    "torch": "torch" in sys.modules,
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="services are forked on Linux alone")
def test_imports_of_services_leave_no_thread_file_socket_child_or_event_loop() -> None:
    modules = [program.module for program in SERVICES]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *modules], env=threads, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == {"threads": 1, "opened": [], "children": [], "loop": False, "torch": False}
