"""What the building of images runs and no other ring does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "docker"
WITHOUT_EXTRAS = """
import sys
sys.path.insert(0, {folder!r})
import bytecode
sys.modules.update(dict.fromkeys(bytecode.OF_EXTRAS))  # None: not there
bytecode.main({service!r})
print(*sorted(name for name in sys.modules if name.startswith({service!r})))
"""


@pytest.mark.parametrize("service", ["gateway", "ingest", "retriever", "inference", "agent", "lab"])
def test_byte_code_is_made_of_a_service_without_its_extras(service: str) -> None:
    program = WITHOUT_EXTRAS.format(folder=str(FOLDER), service=service)
    command = [sys.executable, "-B", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{service}.bootstrap" in done.stdout.split()
