"""Models that come as PyPI packages: where they lie.

`python -m inference.catalog.packages` is run at set-up. It has Python compile what serving imports: installers that
skip byte code would otherwise leave 10 s of compiling to the start of the service, and to every start where writing
byte code is off.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from inference.errors import CannotLoad

ENGINES = ("torch", "transformers", "sentence_transformers")


class PackageMissing(CannotLoad):
    """A model's package is not installed."""

    code = "model_not_installed"


def package_folder(package: str) -> Path:
    """Where a package is installed, without importing it; raises `PackageMissing`."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        distribution = package.replace("_", "-")
        raise PackageMissing(f"The package {distribution} is not installed. Run: pip install {distribution}")
    return Path(places[0])


def models_folder() -> Path:
    """Where downloaded and converted models lie unless told otherwise: beside the environment's packages."""
    return Path(sys.prefix) / "models"


def main() -> int:
    """Import the engines in a process that keeps the byte code; nothing if that was done."""
    origins = [spec.origin for name in ENGINES if (spec := importlib.util.find_spec(name)) and spec.origin]
    if all(Path(importlib.util.cache_from_source(origin)).exists() for origin in origins):
        return 0
    # -I: PYTHONDONTWRITEBYTECODE is meant for running, and this is installing
    options = [f"-Xpycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    code = "from inference.engines import torch_runtime as r; r.import_engines()"
    return subprocess.run([sys.executable, "-I", *options, "-c", code], check=False).returncode  # noqa: S603  # fixed words


if __name__ == "__main__":
    raise SystemExit(main())
