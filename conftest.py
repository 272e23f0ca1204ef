"""What holds for every test: property tests try the same cases at every run, and none is judged by its speed.

Data of tests lie in memory where there is enough of it. There a flush costs nothing; on a disk it is what most tests
wait for. No test takes the machine's power away: what a killed process has written is there all the same.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

structlog.configure(  # tracebacks of rich, which are structlog's default, take seconds each
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(["event"]),
    ]
)
MEMORY = Path("/dev/shm")
LEAST_FREE = 6 << 30
"""Bytes: several times what all tests have there at once, beside the processes that they start."""


def _holds_data(folder: Path) -> bool:
    """Whether a folder is in memory, has room, and lets programs in it be run."""
    if not folder.is_dir() or psutil.virtual_memory().available < 2 * LEAST_FREE:
        return False
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize > LEAST_FREE and not system.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and _holds_data(MEMORY):
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # asks again


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Put logging back as it was: a program that a test ran in its own process may have set it up.

    Its handler would go on writing into the stream of that test, which is closed by then.
    """
    root, known = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**known)


SHARED = ("home", "traced")
"""What is started once for the tests of several files."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what was opened for more than one of them run in one process (`--dist loadgroup`)."""
    for item in items:
        opened = {name: fixtures[-1] for name, fixtures in item._fixtureinfo.name2fixturedefs.items()}  # type: ignore[attr-defined]
        shared = [name for name in SHARED if name in opened and opened[name].scope == "session"]
        if shared:
            item.add_marker(pytest.mark.xdist_group(shared[0]))
        elif any(each.scope in ("module", "package") for each in opened.values()):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
