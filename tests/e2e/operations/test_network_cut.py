"""Nothing is downloaded at run time: the whole demo runs with the network cut."""

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


def test_the_demo_works_with_the_network_cut(tmp_path: Path) -> None:
    command = [sys.executable, CUT, sys.executable, ROOT / "examples" / "demo.py", tmp_path / "home"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "[1]" in done.stdout


@pytest.mark.parametrize("way", ["namespace or hook", "hook"])
def test_the_cut_is_real(way: str) -> None:
    """Otherwise the test above would prove nothing."""
    command = [sys.executable, CUT, sys.executable, "-c", REACH]
    environment = dict(os.environ)
    if way == "hook":
        command, environment = command[2:], {**environment, "PYTHONPATH": str(HOOK)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "unreachable" in done.stderr or "the network is cut" in done.stderr
