"""The console's types: checked by the compiler against what the API has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONSOLE = Path(__file__).resolve().parents[2] / "console"
CHECK = CONSOLE / "typecheck.py"
STATIC = Path("src") / "webconsole" / "static"
MISTAKES = {
    "a property of an answer": ("operations/jobs.js", "error.message", "error.mesage"),
    "a property of a body": ("operations/key-form.js", 'tenant: text("tenant")', 'tennant: text("tenant")'),
    "the path of a call": ("operations/audit.js", '["audit"]', '["audits"]'),
    "a parameter of a query": ("pages/usage.js", "group_by: group, from", "grouped_by: group, from"),
    "a scope": ("pages/agents.js", 'may("agents:write")', 'may("agents:wright")'),
}


def _check(*arguments: Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path}
    return subprocess.run([sys.executable, CHECK, *arguments], capture_output=True, text=True, env=environment)


@pytest.mark.skipif(not shutil.which("npm"), reason="types are not checked without npm")
def test_what_the_api_does_not_have_is_an_error_where_it_is_written(tmp_path: Path) -> None:
    for name in ("src", "types"):
        shutil.copytree(CONSOLE / name, tmp_path / name)
    shutil.copy(CONSOLE / "tsconfig.json", tmp_path)
    for file, right, wrong in MISTAKES.values():
        path = tmp_path / STATIC / file
        before = path.read_text()
        assert right in before, f"{file} has no {right} any more: take another mistake"
        path.write_text(before.replace(right, wrong))
    done = _check(tmp_path)
    found = set(re.findall(rf"^{STATIC}/(\S+)\(\d+,\d+\): error", done.stdout, re.MULTILINE))
    assert found == {file for file, _, _ in MISTAKES.values()}, done.stdout + done.stderr
    assert done.returncode != 0


def test_where_there_is_no_npm_the_check_says_so_in_one_line_and_passes(tmp_path: Path) -> None:
    done = _check(path=str(tmp_path))
    assert done.returncode == 0
    assert re.fullmatch(r"console: types are not checked[^\n]+\n", done.stdout)
