from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from groundwork.stack.home import ports

CHOOSE = """
from groundwork.stack.home import ports
ports.METRICS_PORT = {port}
print(ports.choose(0, {{}})["metrics"], flush=True)
input()
"""


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_homes_that_start_at_once_do_not_take_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    port = _free()
    monkeypatch.setattr(ports, "METRICS_PORT", port)
    command = [sys.executable, "-c", CHOOSE.format(port=port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert int(other.stdout.readline()) == port
        assert ports.choose(0, {})["metrics"] != port  # nothing listens on it yet
        other.communicate("\n", timeout=60)
    assert ports.choose(0, {})["metrics"] == port  # whoever chose it has ended without using it
