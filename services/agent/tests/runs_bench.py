"""Agents over scripts, with a real database: a service as the routes and the worker see it, driven step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.agents import definitions
from agent.bootstrap import assemble
from agent.dependencies import Dependencies
from agent.runs import events as run_events
from agent.runs import repository as runs
from agent.settings import AgentSettings
from agent.tables import metadata
from agent.testing.fixed_tokens import FixedTokens
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_agents import ScriptedAgent, Turn, in_turn
from agent.testing.scripted_answers import ScriptedSearch
from agent.threads import repository as threads
from agent.threads.repository import Viewer
from agent.tools.tool import Tool
from agent.tools.toolbox import Toolbox
from agent.worker.execution import Execution
from contracts.agents.agents import AgentCreate, AgentDefinition
from contracts.agents.runs import Decision, HistoryMessage, Run, RunEvent
from servicekit.core.clock import ManualClock
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database

VIEWER = Viewer("acme", "key_1")
PRINCIPAL = JobOwner("acme", "key_1", "req_1", "grant")


class ToolsAsGiven(Toolbox):
    """A toolbox that also has tools of a test."""

    given: Mapping[str, Tool]

    @asynccontextmanager
    async def tools(self, tenant: str, definition: AgentDefinition) -> AsyncIterator[dict[str, Tool]]:
        async with super().tools(tenant, definition) as own:
            yield {**own, **self.given}


@dataclass
class Bench:
    """One process of the service over a database, which other benches can share."""

    database: Database
    model: ScriptedAgent
    clock: ManualClock
    tools: Mapping[str, Tool] = field(default_factory=dict)
    search: ScriptedSearch = field(default_factory=ScriptedSearch)
    library: MemoryLibrary = field(default_factory=MemoryLibrary)
    tokens: FixedTokens = field(default_factory=FixedTokens)
    settings: AgentSettings = field(default_factory=lambda: AgentSettings(run_lease_seconds=30, run_poll_seconds=0.05))
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.opened: Dependencies = assemble(
            self.settings,
            self.database,
            self.search,
            self.library,
            self.model,
            self.tokens,
            LocalNotifier(),
            self.clock,
        )
        self.agents = self.opened.agents
        self.runner = self.agents.worker.runner
        self.queue = self.runner.queue
        assert isinstance(self.runner.kind, Execution)
        self.execution = self.runner.kind
        box = ToolsAsGiven(**vars(self.agents.toolbox))
        object.__setattr__(box, "given", self.tools)
        self.execution.toolbox = box

    async def define(self, name: str = "helper", **definition: Any) -> AgentCreate:
        wanted = AgentCreate.model_validate({"name": name, **definition})
        async with self.database.write() as connection:
            await definitions.create_agent(connection, "acme", wanted, self.clock.now())
        return wanted

    async def thread(self) -> str:
        async with self.database.write() as connection:
            return (await threads.create_thread(connection, VIEWER, {}, self.clock.now())).id

    async def start(self, text: str = "Do it.", *, thread: str | None = None, agent: str = "helper") -> Run:
        thread_id = thread or await self.thread()
        async with self.database.write() as connection:
            found = await definitions.get_agent(connection, "acme", agent)
            named = (agent, found.version)
            row = await runs.create_run(connection, PRINCIPAL, thread_id, named, text, self.clock.now())
        return runs.to_run(dict(row))

    async def start_for(self, tenant: str) -> Run:
        """A run of another tenant, of an agent of its own."""
        wanted, now = AgentCreate.model_validate({"name": "helper"}), self.clock.now()
        async with self.database.write() as connection:
            await definitions.create_agent(connection, tenant, wanted, now)
            thread = await threads.create_thread(connection, Viewer(tenant, "key_2"), {}, now)
            principal = JobOwner(tenant, "key_2", "req_2", "grant")
            return runs.to_run(
                dict(await runs.create_run(connection, principal, thread.id, ("helper", 1), "Do it.", now))
            )

    async def work(self) -> bool:
        """Claim one run and carry it out; whether there was one."""
        work = await self.queue.claim("bench")
        if work is None:
            return False
        await self.runner.run(work, self.stopping)
        return True

    async def run(self, text: str = "Do it.", **more: Any) -> Run:
        """Start a run and work until it ends or waits."""
        run = await self.start(text, **more)
        await self.work()
        return await self.shown(run)

    async def shown(self, run: Run) -> Run:
        async with self.database.read() as connection:
            return runs.to_run(dict(await runs.get_run(connection, run.thread_id, run.id)))

    async def cancel(self, run: Run) -> Run:
        async with self.database.write() as connection:
            row = await runs.get_run(connection, run.thread_id, run.id)
            changed = await runs.cancel_run(connection, self.agents.checkpoints, dict(row), self.clock.now())
        self.agents.notifier.notify(run.id)
        return runs.to_run(dict(changed))

    async def resume(self, run: Run, *decisions: dict[str, Any]) -> Run:
        async with self.database.write() as connection:
            row = await runs.get_run(connection, run.thread_id, run.id)
            wanted = [Decision.model_validate(one) for one in decisions]
            changed = await runs.resume_run(connection, dict(row), wanted, self.clock.now())
        return runs.to_run(dict(changed))

    async def events(self, run: Run, after: int = 0) -> list[RunEvent]:
        return await run_events.list_events(self.database, run.id, after)

    async def history(self, thread_id: str) -> list[HistoryMessage]:
        async with self.database.read() as connection:
            return (await threads.list_history(connection, VIEWER, thread_id, 200, None)).data


async def open_database(folder: Path) -> Database:
    """An empty database in a file."""
    database = Database.open(None, folder, "agent")
    async with database.write() as connection:
        await connection.run(metadata.create_all)
    return database


def bench(database: Database, *turns: Turn | str, **more: Any) -> Bench:
    """A bench whose model takes these turns."""
    return Bench(database, ScriptedAgent(in_turn(*turns)), more.pop("clock", ManualClock()), **more)
