"""Checks the console's types by TypeScript's compiler: `python console/typecheck.py [FOLDER]`.

Only contributors run this (`make check`); the console has no build step. npm installs the compiler that
`package-lock.json` names, and compares its sums, into `.cache/typescript`, once for each lock. Where there is no npm,
nothing is checked. A folder other than the console's own has a `tsconfig.json`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "typescript"
FILES = ("package.json", "package-lock.json")
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
INSTALL_SECONDS = 600


def main(project: Path) -> int:
    """Check the files of a project; returns the exit status."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("console: types are not checked, since node and npm are not installed")
        return 0
    program = _compiler(npm)
    if program is None:
        print(
            "console: npm could not install the compiler, see above; types are not checked without it", file=sys.stderr
        )
        return 1
    return subprocess.run([node, program, "--pretty", "false"], cwd=project).returncode


def _compiler(npm: str) -> Path | None:
    """The compiler's program, installed unless it is there; None where that failed."""
    lock = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:20]
    folder = CACHE / lock
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as made:
            for name in FILES:
                shutil.copy(HERE / name, made)
            try:
                subprocess.run([npm, *INSTALL], cwd=made, timeout=INSTALL_SECONDS, stdout=sys.stderr, check=True)
                Path(made).rename(folder)
            except (OSError, subprocess.SubprocessError) as error:
                if not folder.exists():  # no other check was faster
                    print(error, file=sys.stderr)
                    return None
    return folder / "node_modules" / "typescript" / "bin" / "tsc"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE))
