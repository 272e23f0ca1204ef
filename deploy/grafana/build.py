"""Writes deploy/grafana/dashboards/*.json from the boards; `--check` only says whether they are what is committed."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from panels import Board, rendered  # noqa: E402  # found beside this file


def boards() -> list[Board]:
    """All dashboards: one a module in `boards/`."""
    names = sorted(path.stem for path in (FOLDER / "boards").glob("[a-z]*.py"))
    return [importlib.import_module(f"boards.{name}").BOARD for name in names]


def main() -> int:
    """Exit status 1 where a committed file differs."""
    texts = {f"{board.uid}.json": json.dumps(rendered(board), indent=1) + "\n" for board in boards()}
    folder = FOLDER / "dashboards"
    if "--check" in sys.argv:
        there = {path.name: path.read_text() for path in folder.glob("*.json")}
        differ = sorted(name for name in texts.keys() | there.keys() if texts.get(name) != there.get(name))
        print(
            "\n".join(f"{name} is not what the boards say: run `make dashboards`" for name in differ), file=sys.stderr
        )
        return 1 if differ else 0
    for name, text in texts.items():
        (folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
