"""Fixtures of the tests of an installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundwork.stack.home.folder import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that is not there yet."""
    return Home.at(tmp_path / "home")
