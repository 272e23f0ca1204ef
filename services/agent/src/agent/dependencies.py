"""What the service works with, opened once."""

from __future__ import annotations

from dataclasses import dataclass

from agent.answering.graph import Answering
from agent.mcp.server import McpServer
from agent.ports import Bell, Models
from agent.runs.checkpoints import SqlCheckpoints
from agent.settings import AgentSettings
from agent.tools.toolbox import Toolbox
from agent.worker.loop import RunLoop
from servicekit.core.clock import Clock
from servicekit.sql.database import Database


@dataclass(frozen=True)
class Agents:
    """The ledger, the bell, and the loop that runs agents in this process."""

    database: Database
    checkpoints: SqlCheckpoints
    bell: Bell
    toolbox: Toolbox
    loop: RunLoop
    clock: Clock
    settings: AgentSettings
    models: Models


@dataclass(frozen=True)
class Dependencies:
    """What the service works with."""

    answering: Answering
    agents: Agents
    mcp: McpServer
