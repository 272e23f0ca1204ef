"""What holds for every test: property tests try the same cases at every run, and none is judged by its speed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


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
