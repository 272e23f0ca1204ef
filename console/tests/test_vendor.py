from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from webconsole.assets import FOLDER

VENDOR = FOLDER / "vendor"
MANIFEST: list[dict[str, Any]] = json.loads((VENDOR / "manifest.json").read_text())
PERMISSIVE = {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC"}


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_every_library_is_in_the_manifest_and_the_other_way_round() -> None:
    assert sorted(entry["file"] for entry in MANIFEST) == sorted(path.name for path in VENDOR.glob("*.js"))


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_a_library_is_what_its_package_has_but_for_where_its_modules_lie(entry: dict[str, Any]) -> None:
    content = (VENDOR / entry["file"]).read_bytes()
    assert _sum(content) == entry["sha256"]
    assert entry["version"] in entry["file"], "a file that browsers keep for ever has its version in its name"
    original = content
    for other in MANIFEST:
        original = original.replace(f'from"./{other["file"]}"'.encode(), f'from"{other["module"]}"'.encode())
    if entry["source_map"]:
        original = original.removesuffix(b"\n") + entry["source_map"].encode()
    assert _sum(original) == entry["original_sha256"]


def test_licences_are_permissive_and_their_terms_go_with_the_files() -> None:
    assert {entry["license"] for entry in MANIFEST} <= PERMISSIVE
    for entry in MANIFEST:
        assert "icens" in (VENDOR / entry["terms"]).read_text(), entry["file"]
