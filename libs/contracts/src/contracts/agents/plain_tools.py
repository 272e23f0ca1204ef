"""The tools of agents that have no options: written by `make docs` from the agent's table, not by hand."""

from __future__ import annotations

from typing import Literal

PlainToolName = Literal["calculator", "current_time", "plan", "search_history"]
