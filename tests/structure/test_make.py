"""What `make test` and the check before a landing promise: one red suite does not hide the others."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUITES = ("tests/e2e", "tests/integration", "tests/contract", "services/gateway/tests")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs in which `pytest` notes what it is asked, and fails at contract tests."""
    pytest_ = tmp_path / "pytest"
    pytest_.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncase "$*" in *tests/contract*) exit 1;; esac\n')
    pytest_.chmod(0o755)
    return tmp_path


def test_make_test_runs_every_suite_to_its_end_and_fails_if_one_test_did(programs: Path) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "test", f"BIN={programs}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    (asked,) = (programs / "asked").read_text().splitlines()
    assert all(suite in asked.split() for suite in SUITES)
    assert "--continue-on-collection-errors" in asked
    assert not {"-x", "--exitfirst", "--maxfail"} & set(asked.split())
    assert done.returncode != 0


def test_make_alone_lists_every_command() -> None:
    targets = re.findall(r"^([a-z][a-z0-9%-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
    assert re.findall(r"^  make (\S+) +\w", done.stdout, re.MULTILINE) == targets


def test_the_check_before_a_landing_runs_every_stage_and_says_which_were_red(tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$2" >> {tmp_path}/asked\n[ "$2" != check ]\n')
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    for program in (make, docker):
        program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run")], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["setup-dev", "check", "test"]
    assert {"chaos", "demo"} <= set(asked)
    assert done.returncode == 1
    assert "red after" in done.stdout
    assert "lint" in done.stdout.splitlines()[-1]


def test_the_page_for_contributors_names_every_stage_of_the_check_before_a_landing() -> None:
    stages = re.findall(r"make --no-print-directory ([a-z-]+)", (ROOT / ".ci" / "run").read_text())
    opening = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## ")[0]
    assert ".ci/run" in opening
    assert set(re.findall(r"`(?:make )?([a-z-]+)`", opening)) >= set(stages)


def test_every_benchmark_that_a_document_names_is_one_file_of_a_subject() -> None:
    files = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/*/README.md"))
    named = {name for file in files for name in re.findall(r"make bench-([a-z-]+[a-z])", file.read_text())}
    assert named
    for name in named:
        assert len([*ROOT.glob(f"benchmarks/*/{name.replace('-', '_')}.py")]) == 1, name
    command = ["make", "--dry-run", "bench-gateway-soak"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "-m benchmarks.gateway.gateway_soak" in done.stdout
