"""What the service works with, opened once."""

from __future__ import annotations

from dataclasses import dataclass

from agent.answering.graph import Answering
from agent.mcp.server import McpServer
from agent.ports import Models, Notifier
from agent.runs.checkpoints import SqlCheckpoints
from agent.settings import AgentSettings
from agent.tools.toolbox import Toolbox
from agent.worker.loop import RunLoop
from servicekit.core.clock import Clock
from servicekit.sql.database import Database


@dataclass(frozen=True)
class AgentRuntime:
    """The database, the notifier, and the loop that runs agents in this process."""

    database: Database
    checkpoints: SqlCheckpoints
    notifier: Notifier
    toolbox: Toolbox
    loop: RunLoop
    clock: Clock
    settings: AgentSettings
    models: Models


@dataclass(frozen=True)
class Dependencies:
    """What the service works with."""

    answering: Answering
    agents: AgentRuntime
    mcp: McpServer
