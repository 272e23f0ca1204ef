"""Every command and program in README.md, run as written, in order, against a home of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
ELSEWHERE = {
    "make demo": ".ci/run",
    "make check test": ".ci/run",
    "docker compose up --build": "tests/structure/deployment/test_compose.py",
}
"""Commands that can't run inside a test run, and what runs or checks them instead."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, free_port: int) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("readme") / "home"
    environment = {**os.environ, "GROUNDWORK_HOME": str(home), "GROUNDWORK_PORT": str(free_port)}
    yield environment
    subprocess.run(["make", "down"], cwd=ROOT, env=environment, capture_output=True, check=False)


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_of_the_readme_works(environment: dict[str, str]) -> None:
    outputs: dict[str, str] = {}
    for language, block in BLOCKS:
        if language == "python":
            key = _run([".venv/bin/groundwork", "key"], environment).strip().splitlines()[-1]
            program = block.replace("127.0.0.1:8080", f"127.0.0.1:{environment['GROUNDWORK_PORT']}")
            outputs[block] = _run([sys.executable, "-c", f"KEY = {key!r}\n{program}"], environment)
            continue
        for command in filter(None, block.splitlines()):
            if command not in ELSEWHERE:
                outputs[command] = _run(["bash", "-c", command], environment)
    asked = next(output for command, output in outputs.items() if "groundwork ask" in command)
    assert "48 hours" in asked
    assert "information-security-policy" in asked
    openai = next(output for block, output in outputs.items() if "OpenAI(" in block)
    assert "EUR 300" in openai
    assert "customer-faq" in openai


@pytest.mark.parametrize(("command", "runner"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_what_is_not_run_here_is_run_elsewhere(command: str, runner: str) -> None:
    assert any(command in block for _, block in BLOCKS), "no longer in the README"
    words = [word for word in command.split() if word in ("demo", "check", "test", "config", "compose")]
    assert all(word in (ROOT / runner).read_text() for word in words)
