"""What holds for every test: property tests try the same cases at every run, and none is judged by its speed.

Data of tests lie in memory where there is enough of it. There a flush costs nothing; on a disk it is what most tests
wait for. No test takes the machine's power away: what a killed process has written is there all the same.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

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
gc.set_threshold(50_000)  # thousands of modules and tests live to the end: looking for garbage among them takes minutes
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


LONG = re.compile(r"^tests/(?:chaos|compose|vllm|contract/clients)/")
LONG_SECONDS = 2 * 3600


def pytest_collection_finish() -> None:
    """What was collected is garbage at the end and not before."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound what runs long by what it may take in its largest form (CALLS=5000, ANSWERS=…), not as all others."""
    for item in items:
        if LONG.match(item.nodeid):
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))


SHARED_HOMES = {
    name: re.compile(rf"^(?:def test_\w+|@pytest\.fixture.*\ndef \w+)\([^)]*?\b{name}: {kind}", re.MULTILINE)
    for name, kind in (("traced", "Traced"), ("home", "RunningHome"))
}
"""What is started once for the tests of several files, and how a file says that its tests use it."""
OWN_HOME = re.compile(r"^def home\(", re.MULTILINE)
OPENED_ONCE = re.compile(r'scope="module"')


@cache
def _shared_by(file: str) -> str | None:
    """What tests of a file share with one another, or with those of their folder's other files; nothing where each is
    alone. One home for all folders would have one process at work while the others have nothing left to do."""
    text = (Path(__file__).parent / file).read_text()
    if file.startswith("tests/e2e/"):
        homes = [name for name, uses in SHARED_HOMES.items() if uses.search(text)]
        if OWN_HOME.search(text) or not homes:
            return file
        return f"home of {Path(file).parent.name}" if homes == ["home"] else homes[0]
    return file if file.startswith("tests/integration/") or OPENED_ONCE.search(text) else None


class TogetherScheduling(LoadScopeScheduling):
    """Tests that share what is opened once run in one process: most of them first, then all that are alone."""

    def _split_scope(self, nodeid: str) -> str:
        return _shared_by(nodeid.partition("::")[0]) or nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherScheduling | None:
    """`--dist loadgroup` means these groups."""
    return TogetherScheduling(config, log) if config.getoption("dist") == "loadgroup" else None
