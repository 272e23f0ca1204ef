"""The command line. One module a group of commands; each error is one sentence, never a traceback."""

from __future__ import annotations

from groundwork.commands.entry import app

__all__ = ["app"]
