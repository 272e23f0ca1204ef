"""deploy/docker/install.sh: which build of torch an image asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("torch", "takes_the_cpu_build"), [("cpu", True), ("cuda", False)])
def test_an_image_for_a_gpu_never_takes_torch_s_cpu_build_from_a_folder(
    torch: str, takes_the_cpu_build: bool, tmp_path: Path
) -> None:
    """The script itself, with an installer that only writes down what it is asked for."""
    asked = tmp_path / "asked"
    installer = tmp_path / "uv"
    installer.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    installer.chmod(0o755)
    script = (ROOT / "deploy/docker/install.sh").read_text()
    for part in ("libs/contracts", "libs/servicekit", "services/lab"):
        (tmp_path / part).mkdir(parents=True)
        shutil.copy(ROOT / part / "pyproject.toml", tmp_path / part)
    shutil.copy(ROOT / "requirements-dev.lock", tmp_path)
    (version,) = re.findall(r"torch_version=(\S+)", script)
    (tmp_path / "wheels").mkdir()
    (tmp_path / f"wheels/torch-{version}+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    (tmp_path / "install.sh").write_text(
        script.replace("/opt/tools/bin/uv", str(installer)).replace("/wheels", str(tmp_path / "wheels"))
    )
    words = ["sh", "install.sh", "third-party", "lab", "tuning", torch]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (requirement,) = [Requirement(word) for word in asked.read_text().split() if word.startswith("torch=")]
    assert requirement.specifier.contains(version)
    assert requirement.specifier.contains(f"{version}+cpu") is takes_the_cpu_build
