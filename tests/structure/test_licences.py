"""Licences of what we install: known, allowed, and listed as they are."""

from __future__ import annotations

import platform
import re
import runpy
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LICENCES = runpy.run_path(str(ROOT / "docs" / "build_licences.py"))


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the page is about what Linux on x86-64 installs",
)
def test_the_page_is_what_is_installed() -> None:
    assert LICENCES["PAGE"].read_text() == LICENCES["page"](), "run `make docs`"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_licence_that_is_allowed(lock: str) -> None:
    assert len(list(LICENCES["locked"](lock))) > 100
    assert LICENCES["refused"](lock) == {}


@pytest.mark.parametrize(
    ("licence", "fine"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("AGPL-3.0-only", False),
        ("GPL-3.0-or-later", False),
        ("MIT AND SSPL-1.0", False),
        ("unknown", False),
        ("not installed", False),
        ("", False),
    ],
)
def test_only_known_and_permissive_licences_pass(licence: str, fine: bool) -> None:
    assert LICENCES["allowed"](licence) is fine


def test_every_server_that_compose_starts_is_listed() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    images = {service["image"].rpartition(":")[0] for service in services}
    listed = set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/licences.md").read_text(), re.MULTILINE))
    assert {image for image in images if not image.startswith("groundwork/")} == listed
