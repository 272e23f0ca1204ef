"""What the service works with, opened once."""

from __future__ import annotations

from dataclasses import dataclass

from agent.answering.graph import Answering
from agent.mcp.server import McpServer
from agent.ports import Models
from agent.prompts.service import Prompts
from agent.runs.checkpoints import SqlCheckpoints
from agent.runs.leased_run import LeasedRun
from agent.runs.recorder import RunRecorder
from agent.settings import AgentSettings
from agent.tools.toolbox import Toolbox
from servicekit.core.clock import Clock
from servicekit.jobs.notifier import Notifier
from servicekit.jobs.worker import Worker
from servicekit.sql.database import Database


@dataclass(frozen=True)
class AgentRuntime:
    """The database, the notifier, and the worker that runs agents in this process."""

    database: Database
    checkpoints: SqlCheckpoints
    notifier: Notifier
    toolbox: Toolbox
    worker: Worker[LeasedRun]
    clock: Clock
    settings: AgentSettings
    models: Models
    recorder: RunRecorder


@dataclass(frozen=True)
class Dependencies:
    """What the service works with."""

    answering: Answering
    agents: AgentRuntime
    mcp: McpServer
    prompts: Prompts
