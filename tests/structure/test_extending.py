"""docs/extending.md tells where to add what: every place that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
SUBJECTS = ("format", "engine", "tool", "metric", "endpoint", "migration", "job", "measure")


def test_every_place_that_the_checklists_name_exists() -> None:
    named = re.findall(r"`((?:services|libs|cli|deploy|tests|docs|research|examples)/[^`]*)`", PAGE.read_text("utf-8"))
    assert len(named) > 20
    missing = sorted(path for path in named if not (ROOT / path).exists())
    assert not missing, missing


def test_there_is_a_checklist_for_each_thing_that_is_added_often() -> None:
    headings = " ".join(re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)).lower()
    assert [subject for subject in SUBJECTS if subject not in headings] == []
