"""Every mistake that `docs/gateway.md` says is held by a test is held by one that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (?P<mistake>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_every_lesson_names_tests_that_exist() -> None:
    rows = [
        row for row in ROW.finditer((ROOT / "docs/gateway.md").read_text()) if row["mistake"] not in ("mistake", "---")
    ]
    assert len(rows) > 15
    for row in rows:
        named = NAMED.findall(row["tests"])
        assert named, row["mistake"]
        for path, test in named:
            tree = ast.parse((ROOT / path).read_text())
            names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert test in names, f"{path}::{test}"
