"""Built-in tools: what one says of itself, and the table of them.

A tool is added in one place: a module of this folder with a constant `BUILT_IN`. From there are read what a run gets,
the scopes that a key needs, the names that a definition may have (`make docs` writes those of tools without options
into `contracts.agents.plain_tools`) and docs/tools.md. A tool with options also needs a model in `contracts.agents`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from agent.ports import Library, Search
from agent.tools.http_calls import HttpCalls
from agent.tools.tool import Tool
from contracts.access.delegation import Scope
from servicekit.core.clock import Clock
from servicekit.sql.database import Database

PACKAGE = "agent.tools"


@dataclass(frozen=True, slots=True)
class ToolResources:
    """What built-in tools work with."""

    search: Search
    library: Library
    http: HttpCalls
    database: Database
    clock: Clock


@dataclass(frozen=True, slots=True)
class BuiltInTool:
    """One row of the table."""

    name: str
    """Its type in a definition, and what the model calls it."""
    summary: str
    """For docs/tools.md."""
    make: Callable[[Any, ToolResources], Tool]
    """The tool of one run, from its options in the agent's definition."""
    scopes: tuple[Scope, ...] = ()
    """A key needs one of these, as for the public call that does the same; none for what reads no documents."""
    options: tuple[str, ...] = ()
    """The fields of its model in `contracts.agents.agents`, but `type`."""


@lru_cache(maxsize=1)
def built_in_tools() -> Mapping[str, BuiltInTool]:
    """The table, by name."""
    folder = import_module(PACKAGE).__path__
    modules = (import_module(f"{PACKAGE}.{module.name}") for module in iter_modules(folder))
    rows: list[BuiltInTool] = [row for module in modules for row in getattr(module, "BUILT_IN", ())]
    return {row.name: row for row in sorted(rows, key=lambda row: row.name)}


def plain_tools() -> list[str]:
    """The names of the tools without options."""
    return [row.name for row in built_in_tools().values() if not row.options]
