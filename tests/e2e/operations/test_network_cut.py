"""Where `.ci/run` runs the demo nothing but loopback can be reached, so nothing is downloaded at run time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CUT = ROOT / "tests" / "support" / "network" / "without_network.py"
HOOK = CUT.parent / "blocked_network"
REACH = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=20)"


@pytest.mark.parametrize("way", ["namespace or hook", "hook"])
def test_the_cut_is_real(way: str) -> None:
    """Otherwise the demo's run would prove nothing."""
    command = [sys.executable, CUT, sys.executable, "-c", REACH]
    environment = dict(os.environ)
    if way == "hook":
        command, environment = command[2:], {**environment, "PYTHONPATH": str(HOOK)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "unreachable" in done.stderr or "the network is cut" in done.stderr
