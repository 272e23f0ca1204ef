"""docs/extending.md tells where to add what: every place that it names is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
SUBJECTS = ("format", "engine", "tool", "metric", "endpoint", "dependency", "migration", "job", "console", "measure")
TOPS = ("services", "libs", "console", "cli", "deploy", "tests", "docs", "research", "examples")
FILE = re.compile(r"[\w.-]+\.(?:py|md|toml|ya?ml|json)|(?:[\w.-]+/)+[\w.-]*")


def test_every_place_that_the_checklists_name_exists() -> None:
    """A whole path, or the end of one: `tables.py`, `api/`."""
    named = [name for name in re.findall(r"`([^`]+)`", PAGE.read_text("utf-8")) if FILE.fullmatch(name)]
    assert len(named) > 50
    there = {
        f"/{path.relative_to(ROOT)}{'/' if path.is_dir() else ''}" for top in TOPS for path in ROOT.glob(f"{top}/**/*")
    }
    there |= {f"/{path.name}" for path in ROOT.iterdir()}
    whole = {name for name in named if name.partition("/")[0] in TOPS}
    assert {name for name in whole if not (ROOT / name).exists()} == set()
    ends = "\n".join(sorted(there)) + "\n"
    assert {name for name in set(named) - whole if f"/{name}\n" not in ends} == set()


def test_there_is_a_checklist_for_each_thing_that_is_added_often() -> None:
    headings = " ".join(re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)).lower()
    assert [subject for subject in SUBJECTS if subject not in headings] == []


def test_every_folder_of_engines_is_kept_apart_from_the_others() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (apart,) = (rule["modules"] for rule in rules if rule["name"] == "inference: engines know nothing of each other")
    engines = ROOT / "services/inference/src/inference/engines"
    assert apart == sorted(f"inference.engines.{init.parent.name}" for init in engines.glob("*/__init__.py"))
