"""Unmodified clients of others against the gateway: each program here is what a user of that client would write.

Every Python program has an environment of its own, since clients pin each other's versions; `uv` makes it from what the
program declares. `make test-clients` runs this; it needs a package index, and Node for the programs in `node/`. Those
in `heavy/` (gigabytes each, one a browser) come with `HEAVY=1`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from .conftest import Served

HERE = Path(__file__).parent
KEPT = Path(os.environ.get("GROUNDWORK_CLIENTS", HERE.parents[2] / ".clients"))
"""Where what is installed is kept, out of version control."""
FOLDERS = ("programs", "heavy") if os.environ.get("HEAVY") else ("programs",)
PYTHON = sorted(str(path.relative_to(HERE)) for folder in FOLDERS for path in (HERE / folder).glob("*.py"))
NEEDS = {"trl": "agents", "mcp": "agents", "openapi": "platform", "phoenix": "traced"}
"""Programs, by the first word of their names, that need more than the gateway: the agent service, or all services."""
NODE = sorted(path.name for path in (HERE / "node").glob("*.mjs"))
SECONDS = 600.0
UV = HERE.parents[2] / ".venv" / "bin" / "uv"
OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
pytestmark = pytest.mark.clients


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run a client; fail with what it said if it does."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **OFFLINE, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"


def served_for(request: pytest.FixtureRequest, program: str) -> Served:
    """What a program calls, begun when the first one needs it."""
    served: Served = request.getfixturevalue(NEEDS.get(program.partition("_")[0], "gateway"))
    return served


@pytest.mark.parametrize("program", PYTHON)
def test_an_unmodified_python_client_works(request: pytest.FixtureRequest, program: str) -> None:
    served = served_for(request, Path(program).name)
    environment = {**served.environment, "UV_CACHE_DIR": str(KEPT / "uv")}
    if links := os.environ.get("PIP_FIND_LINKS"):
        environment["UV_FIND_LINKS"] = links
    file = HERE / program
    run([str(UV), "run", "--quiet", "--no-project", "--script", file.name], file.parent, environment)


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """The Node programs beside the packages that they import."""
    if shutil.which("npm") is None:
        pytest.skip("Node is not installed here: its clients were NOT tested")
    folder = KEPT / "node"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (HERE / "node").iterdir():
        shutil.copy(path, folder)
    run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], folder, {})
    return folder


@pytest.mark.parametrize("program", NODE)
def test_an_unmodified_node_client_works(request: pytest.FixtureRequest, node_folder: Path, program: str) -> None:
    served = served_for(request, program)
    run(["node", program], node_folder, served.environment)
