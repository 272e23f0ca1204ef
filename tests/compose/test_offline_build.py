"""An image is built where nothing can be reached: from the wheels that `make wheels` fetched where something can."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.support.deployment.compose import BUILD_SECONDS, ROOT, certificates, engine_reason, wheels

TAG = "groundwork-test/offline"
DOCKERFILE = "deploy/docker/Dockerfile"


def _run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@pytest.mark.skipif(engine_reason() is not None, reason="the ring's other tests say what is missing")
def test_an_image_is_built_from_a_folder_of_wheels_with_the_network_cut(tmp_path: Path) -> None:
    given = {"GROUNDWORK_BUILD_CA": certificates(), "GROUNDWORK_WHEELS": wheels(), "FOLDER": str(tmp_path / "wheels")}
    _run("make", "wheels", **{name: value for name, value in given.items() if value})
    folder = tmp_path / "wheels"
    assert {"torch", "uv", "uv_build", "fastapi"} <= {wheel.name.partition("-")[0] for wheel in folder.glob("*.whl")}
    # Layers of earlier builds are left out; the installer may have files of theirs, but no network to ask for others.
    command = ["docker", "build", "--quiet", "--no-cache", "--network", "none", "--build-arg", "OFFLINE=1"]
    command += ["--build-arg", "SERVICE=gateway", "--build-context", f"wheels={folder}", "--file", DOCKERFILE]
    try:
        _run(*command, "--tag", TAG, ".")
        _run("docker", "run", "--rm", "--network", "none", TAG, "python", "-c", "import gateway.bootstrap")
    finally:
        subprocess.run(["docker", "image", "rm", "--force", TAG], capture_output=True, check=False)
