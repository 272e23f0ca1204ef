"""A home's ports and settings, as tests of what runs in it need them."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import psutil

from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.home.ports import NAMES

PORTS = {name: 21_000 + number for number, name in enumerate(NAMES)}
NOTHING = Overrides({})
"""Somebody who has set nothing."""


def overrides(home: Home, dotenv: Path | None = None, /, **environment: str) -> Overrides:
    """What somebody set with this environment, and nothing of the one that the tests run in."""
    return Overrides.read(home, environment, dotenv or home.root / "no-such-file")


def run_state(home: Home, run_id: str = "run-1", socket: Path | None = None) -> RunState:
    """The state of a home that was started."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return RunState(run_id=run_id, started_at=at, ports=PORTS, socket=socket or home.run / "s.sock", redis=True)


def has_ended(pid: int) -> bool:
    """Whether a process runs no more; whoever started it may not have noticed yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)
