"""Sets up Groundwork in a virtual environment: packages, the CPU build of torch, byte code.

Needs only Python 3.11 or newer with pip and venv. Standard library only, since it runs before anything is
installed. Safe to run again: it does only what is missing or out of date.

Usage: python3 deploy/install.py [--dev]
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
UV = "uv==0.13.9"
TORCH = "torch==2.13.0"
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
WORKSPACE = [
    "libs/contracts",
    "libs/extraction",
    "libs/servicekit",
    "console",
    *(f"services/{name}" for name in ("gateway", "ingest", "retriever", "inference", "agent", "lab")),
    "cli",
]


def main() -> int:
    """Install what is missing; return the exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036  # this file is what says so
        print(f"Groundwork needs Python 3.11 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    lock = DEV_LOCK if "--dev" in sys.argv[1:] else LOCK
    started = time.monotonic()
    try:
        if _stamp_matches(lock):
            return 0
        found = {
            installed: _fingerprint(installed) for installed in {lock, LOCK}
        }  # what changes meanwhile is not in it
        step("virtual environment", _make_venv)
        step("packages", lambda: _install_packages(lock))
        step("torch (CPU build)", _install_torch)
        step("byte code", _compile)
        _look_for_llama()
    except subprocess.CalledProcessError as failure:
        print(
            f"\nSet-up stopped: {' '.join(map(str, failure.cmd))} ended with {failure.returncode}.\n"
            "The lines above say why. Mend that and run the same command again; finished steps are kept.",
            file=sys.stderr,
        )
        return 1
    for installed, fingerprint in found.items():  # what is for developers has all the rest
        _stamp(installed).write_text(fingerprint)
    print(f"set-up: {_installed_megabytes()} MB installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def step(name: str, action: Callable[[], None]) -> None:
    """Run one step and print how long it took."""
    started = time.monotonic()
    print(f"set-up: {name} ...", flush=True)
    action()
    print(f"set-up: {name} done in {time.monotonic() - started:.1f} s", flush=True)


def _make_venv() -> None:
    """uv does all installing, so the environment needs no pip of its own (which takes longer than all packages)."""
    if not (BIN / "python").exists():
        venv.create(VENV, with_pip=False)
    if (BIN / "uv").exists():
        return
    arguments = ("install", "--quiet", "--disable-pip-version-check", UV)
    by_host = [sys.executable, "-m", "pip", "--python", str(BIN / "python"), *arguments]
    if subprocess.run(by_host, cwd=ROOT, capture_output=True, check=False).returncode != 0:
        _run(BIN / "python", "-m", "ensurepip", "--upgrade")
        _run(BIN / "python", "-m", "pip", *arguments)


def _install_packages(lock: Path) -> None:
    _uv("install", "--no-deps", "--require-hashes", "-r", lock)
    editable = [part for name in WORKSPACE for part in ("-e", str(ROOT / name))]
    _uv("install", "--no-deps", *editable)


def _install_torch() -> None:
    """The CPU build: from the folder in PIP_FIND_LINKS when it holds one, else from torch's own CPU index."""
    folder = os.environ.get("PIP_FIND_LINKS", "")
    local = bool(folder) and any(Path(part).glob("torch-*.whl") for part in folder.split() if Path(part).is_dir())
    source = ["--find-links", folder] if local else ["--torch-backend", "cpu"]
    _uv("install", "--no-deps", *source, TORCH)


def _compile() -> None:
    _run(BIN / "python", "-m", "inference.catalog.packages")


def _look_for_llama() -> None:
    """What runs the packaged chat model has no wheel for each platform; all else works without it."""
    if not any(VENV.glob("**/site-packages/xllamacpp")):
        print("set-up: no wheel of llama.cpp (xllamacpp) here; connect a chat model by engine openai", flush=True)


def _uv(command: str, *arguments: object) -> None:
    # --no-config: the workspace's own uv settings keep torch out of the lock, and would keep it out of here too.
    _run(BIN / "uv", "pip", command, "--quiet", "--no-config", "--python", BIN / "python", *arguments)


def _run(*command: object) -> None:
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "hardlink")}
    subprocess.run([str(part) for part in command], check=True, cwd=ROOT, env=environment)


def _fingerprint(lock: Path) -> str:
    inputs = [lock, Path(__file__), *(ROOT / name / "pyproject.toml" for name in WORKSPACE)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()


def _stamp(lock: Path) -> Path:
    return VENV / f".{lock.name}.stamp"


def _stamp_matches(lock: Path) -> bool:
    stamp = _stamp(lock)
    return (BIN / "python").exists() and stamp.exists() and stamp.read_text() == _fingerprint(lock)


def _installed_megabytes() -> int:
    return sum(path.lstat().st_size for path in VENV.rglob("*") if path.is_file()) // 1_000_000


if __name__ == "__main__":
    raise SystemExit(main())
