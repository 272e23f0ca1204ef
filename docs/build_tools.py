"""Writes docs/tools.md and the contract's names of tools without options from the agent service's table of tools.

Usage: python docs/build_tools.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.tools.built_in import built_in_tools, plain_tools

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/tools.md"
NAMES = ROOT / "libs/contracts/src/contracts/agents/plain_tools.py"
HEAD = """# Tools of agents

Generated from `services/agent/src/agent/tools` by `make docs`; do not edit.

What `tools` of an agent's definition may name besides `{type: mcp, server: …}`. A tool without options may be written
as its name alone.

| tool | what it does | options | a key needs |
| --- | --- | --- | --- |
"""
MODULE = '''"""The tools of agents that have no options: written by `make docs` from the agent's table, not by hand."""

from __future__ import annotations

from typing import Literal

PlainToolName = Literal[{names}]
'''


def page() -> str:
    """The table for readers."""
    rows = []
    for tool in built_in_tools().values():
        options = ", ".join(f"`{name}`" for name in tool.options) or "none"
        scopes = " or ".join(f"`{scope}`" for scope in tool.scopes) or "nothing more"
        rows.append(f"| `{tool.name}` | {tool.summary} | {options} | {scopes} |")
    return HEAD + "\n".join(rows) + "\n"


def module() -> str:
    """The contract's module."""
    names = ", ".join(f'"{name}"' for name in plain_tools())
    line = f"PlainToolName = Literal[{names}]"
    if len(line) > 120:  # as ruff would wrap it
        names = "".join(f'\n    "{name}",' for name in plain_tools()) + "\n"
    return MODULE.format(names=names)


def main() -> int:
    """Write both, or with --check say whether they are up to date."""
    wanted = {PAGE: page(), NAMES: module()}
    if "--check" not in sys.argv[1:]:
        for path, text in wanted.items():
            path.write_text(text)
        return 0
    stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if stale:
        print(f"{', '.join(stale)}: out of date; run `make docs`.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
