"""Copies the pages' libraries out of packages of npm into `static/vendor/`, and writes their manifest.

Only somebody who takes a newer version runs this; it needs npm, which nothing else here does:

    cd "$(mktemp -d)" && npm pack preact @preact/signals @preact/signals-core htm && python CONSOLE/vendor.py .

A file is what its package has, but for two things: modules import each other by the place where they lie here, since a
browser knows no other without inline code, and the last line that names a source map is left out. The manifest has the
sums of both, and `tests/test_vendor.py` makes the one of the other.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parent / "src" / "webconsole" / "static" / "vendor"
FILES = (
    ("preact", "preact", "dist/preact.mjs"),
    ("preact", "preact/hooks", "hooks/dist/hooks.mjs"),
    ("preact-signals-core", "@preact/signals-core", "dist/signals-core.mjs"),
    ("preact-signals", "@preact/signals", "dist/signals.mjs"),
    ("htm", "htm", "dist/htm.mjs"),
)
"""The archive's name before its version, what modules import, and where that is in the package."""
_SOURCE_MAP = re.compile(rb"\n?//# sourceMappingURL=\S+\s*\Z")


def main(folder: Path) -> int:
    """Write all files and the manifest; returns the exit status."""
    archives = {archive: _archive(folder, archive) for archive, _, _ in FILES}
    packages = {archive: json.loads(_member(path, "package.json")) for archive, path in archives.items()}
    names = {module: _file_name(module, packages[archive]["version"]) for archive, module, _ in FILES}
    for old in VENDOR.glob("*.js"):
        old.unlink()
    for archive, path in archives.items():
        (VENDOR / f"{archive}.LICENSE").write_bytes(_member(path, "LICENSE"))
    manifest: list[dict[str, Any]] = []
    for archive, module, path in FILES:
        original, package = _member(archives[archive], path), packages[archive]
        ours = relinked(original, names)
        (VENDOR / names[module]).write_bytes(ours)
        about = {
            "terms": f"{archive}.LICENSE",
            "name": package["name"],
            "version": package["version"],
            "license": package["license"],
        }
        sums = {"sha256": _sum(ours), "original": path, "original_sha256": _sum(original)}
        manifest.append({"file": names[module], "module": module, **about, **sums, "source_map": _map_of(original)})
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    return 0


def relinked(source: bytes, names: dict[str, str]) -> bytes:
    """A module with imports of files beside it, and without the name of its source map."""
    for module, file in names.items():
        source = source.replace(f'from"{module}"'.encode(), f'from"./{file}"'.encode())
    return _SOURCE_MAP.sub(b"\n", source)


def _file_name(module: str, version: str) -> str:
    """With the version in it: what such a file holds never changes."""
    return f"{module.lstrip('@').replace('/', '-')}-{version}.js"


def _archive(folder: Path, name: str) -> Path:
    (found,) = (path for path in folder.glob("*.tgz") if re.fullmatch(rf"{name}-\d[\w.-]*\.tgz", path.name))
    return found


def _member(archive: Path, path: str) -> bytes:
    with tarfile.open(archive) as opened:
        member = opened.extractfile(f"package/{path}")
        assert member is not None
        return member.read()


def _map_of(source: bytes) -> str:
    found = _SOURCE_MAP.search(source)
    return "" if found is None else found.group().decode()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
