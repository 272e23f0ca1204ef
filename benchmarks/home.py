"""A fresh home for a benchmark: started through the command line as a user would, stopped and removed afterwards."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
COMMAND = Path(sys.executable).parent / "groundwork"
START_SECONDS = "600"
"""A machine that does other things, too, takes long to load models."""


@dataclass(frozen=True)
class Home:
    """A running home."""

    folder: Path
    base_url: str
    key: str

    def groundwork(self, *arguments: str) -> str:
        """Run one command against this home and return what it prints."""
        return _groundwork(self.folder, *arguments)

    def metric(self, program: str, name: str) -> float:
        """A metric of one process, added up over its labels."""
        port = json.loads((self.folder / "run" / "state.json").read_text())["ports"][program]
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@contextmanager
def fresh_home() -> Iterator[Home]:
    """Start everything in a temporary home; stop it when the block ends."""
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as name:
        folder, port = Path(name) / "home", _free_port()
        _groundwork(folder, "up", "--port", str(port), "--timeout", START_SECONDS)
        try:
            key = _groundwork(folder, "key").strip().splitlines()[-1]
            yield Home(folder, f"http://127.0.0.1:{port}", key)
        finally:
            _groundwork(folder, "down")


def write_result(name: str, result: dict[str, Any]) -> None:
    """Keep a result beside the machine that gave it."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version()}
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, **result}, indent=2) + "\n")


def _groundwork(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GROUNDWORK_HOME": str(folder)}
    done = subprocess.run(
        [str(COMMAND), *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"groundwork {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
