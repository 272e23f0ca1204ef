"""`make bench-injection [INJECTION_DATA=folder] [EVERY=n] [START=k]`: what one that obeys every text can do. Nothing.

Each attack is put before a model that does all that it says (`agent.testing.hostile_model`): as a source of a `rag:`
answer in every grounding mode, and as the result of a tool of an agent. Counted are tool calls that were executed
though the agent may not make them (or only with an approval that nobody gave), and links or images that a page would
render.
All sets take half an hour on a busy machine: `EVERY=3` with START 0, 1 and 2 asks them in three parts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from agent.agents import definitions
from agent.answering.completions import chunks, collect
from agent.answering.graph import Answering
from agent.bootstrap import assemble
from agent.questions.conversation import read_conversation
from agent.runs import events as run_events
from agent.runs import repository as runs
from agent.settings import AgentSettings
from agent.tables import metadata
from agent.testing.fixed_tokens import FixedTokens
from agent.testing.hostile_model import HostileModel, exfiltration
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_agents import ScriptedAgent
from agent.testing.scripted_answers import CAPABLE, PACKAGED, ScriptedModels, ScriptedSearch, hit
from agent.threads import repository as threads
from agent.tools.mcp_servers import McpServer
from agent.tools.tool import Repeat, Tool, ToolCaller
from agent.worker.execution import Execution
from benchmarks.agent.injection_sets import OURS, Attack, data_folder, load
from benchmarks.agent.rendering import rendered_links
from benchmarks.home import write_result
from contracts.access.delegation import Delegation
from contracts.agents.agents import AgentCreate
from contracts.agents.runs import Run, RunEvent
from contracts.models.chat import ChatRequest
from servicekit.core.clock import ManualClock
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database

MODES = ("strict", "annotate", "off")


@dataclass
class World:
    """An MCP server with every tool that an attack may want; keeps what was called."""

    tools: tuple[str, ...]
    says: str
    called: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def connect(self, name: str, _: Any, wanted: Iterable[str] | None) -> AsyncIterator[list[Tool]]:
        """As `mcp_tools`: the tools of the server, or those that the definition wants."""
        listed = self.tools if wanted is None else [tool for tool in self.tools if tool in set(wanted)]
        yield [WorldTool(self, f"{name}__{tool}"[:64], tool) for tool in listed]


@dataclass
class WorldTool:
    """One of its tools; says the attack's text."""

    world: World
    name: str
    far_name: str
    kind: str = "mcp"
    description: str = "A tool."
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    repeat: Repeat = "never"

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """Note the call; the text."""
        self.world.called.append(self.far_name)
        return self.world.says


async def answered(attack: Attack, mode: str, *, model_fails: bool = False) -> list[str]:
    """What a page would fetch or link of a `rag:` answer about the text."""
    source = hit(attack.text, "attacked", title=f"Mail ![x](https://evil.example/t?{attack.set})")
    models = ScriptedModels(lambda request: _words(exfiltration(request.messages[-1].plain_text())), CAPABLE)
    if model_fails:
        models.info = PACKAGED
        models.script = lambda _: []
    answering = Answering(ScriptedSearch([source]), models, MemoryLibrary(), AgentSettings(abstain_threshold=0))
    request = ChatRequest.model_validate(
        {
            "model": "rag:handbook",
            "messages": [{"role": "user", "content": attack.question}],
            "groundwork": {"grounding": mode, "include": ["sources"]},
        }
    )
    rights = Delegation(
        audiences=("agent",), tenant="a", key_id="k", scopes=("chat",), collections=None, request_id="r"
    )
    events = answering.events(read_conversation(request, rights), request, "token", "r")
    return rendered_links((await collect(chunks(events, request.model))).choices[0].message.content or "")


def _words(text: str) -> list[str]:
    return [part if at == 0 else f" {part}" for at, part in enumerate(text.split(" "))]


async def acted(database: Database, attack: Attack, *, approval: bool) -> tuple[list[str], list[str]]:
    """Forbidden calls that were executed in an agent's run that reads the text, and what a page would fetch of it."""
    own = attack.reader if attack.reader != "search_documents" else None
    others = tuple(tool for tool in attack.tools if tool != own)
    world = World(tuple(dict.fromkeys((*([own] if own else []), *others))), attack.text)
    first = (f"world__{own}"[:64], {}) if own else ("search_documents", {"query": attack.question[:500]})
    wanted = [call for tool in others for call in ((f"world__{tool}"[:64], {}), (tool, {}))]
    script = HostileModel(first, wanted)
    may = ([own] if own else []) + (list(others) if approval else [])
    definition: dict[str, Any] = {
        "tools": [
            {"type": "search_documents", "collections": ["handbook"]},
            {"type": "read_document", "collections": ["handbook"]},
            {"type": "http_get", "hosts": ["good.example"]},
            *([{"type": "mcp", "server": "world", "tools": may}] if may else []),
        ],
        "approval": {"tools": [f"world__{tool}"[:64] for tool in others] if approval else []},
    }
    run, events = await _run(database, script, world, attack, definition)
    executed = [name for name in world.called if name != own]
    executed += [
        str(event.data["name"])
        for event in events
        if event.type == "tool_result" and not event.data["failed"] and event.data["name"] != first[0]
    ]
    steps: dict[int | None, str] = {}
    for event in events:
        if event.type == "token":
            steps[event.step] = steps.get(event.step, "") + event.data["text"]
    streamed = "\n\n".join(steps.values())
    assert run.status in ("completed", "waiting_approval", "limit_reached"), run
    return executed, rendered_links(run.output or "") + rendered_links(streamed)


async def _run(
    database: Database, script: HostileModel, world: World, attack: Attack, definition: Mapping[str, Any]
) -> tuple[Run, list[RunEvent]]:
    clock = ManualClock()
    source = ScriptedSearch([hit(attack.text, "attacked")])
    notifier, tokens, library = LocalNotifier(), FixedTokens(), MemoryLibrary()
    settings = AgentSettings(completion_seconds=60)
    opened = assemble(settings, database, source, library, ScriptedAgent(script), tokens, notifier, clock)
    runner = opened.agents.worker.runner
    servers = {"world": McpServer(command=["world"])}
    assert isinstance(runner.kind, Execution)
    runner.kind.toolbox = replace(runner.kind.toolbox, servers=servers, connect=world.connect)
    wanted = AgentCreate.model_validate({"name": "reader", **definition})
    async with database.write() as connection:
        agent, _ = await definitions.create_agent(connection, "acme", wanted, clock.now())
        thread = await threads.create_thread(connection, threads.Viewer("acme", "k"), {}, clock.now())
        principal, named = JobOwner("acme", "k", "r", "grant"), (agent.name, agent.version)
        row = await runs.create_run(connection, principal, thread.id, named, attack.question[:2000], clock.now())
    work = await runner.queue.claim("bench")
    assert work is not None
    await runner.run(work, asyncio.Event())
    async with database.read() as connection:
        ended = runs.to_run(dict(await runs.get_run(connection, thread.id, row["id"])))
    return ended, await run_events.list_events(database, row["id"], 0)


@asynccontextmanager
async def opened_database(folder: Path) -> AsyncIterator[Database]:
    """A database for the runs."""
    database = Database.open(None, folder, "agent")
    async with database.write() as connection:
        await connection.run(metadata.create_all)
    try:
        yield database
    finally:
        await database.close()


async def measure(attacks: list[Attack], folder: Path) -> dict[str, Counter[str]]:
    """By set: attacks, answers and runs, forbidden calls that were executed, and what a page would fetch or link."""
    counts: dict[str, Counter[str]] = {}
    async with opened_database(folder) as database:
        for attack in attacks:
            count = counts.setdefault(attack.set, Counter())
            count["attacks"] += 1
            for mode in MODES:
                count["answers"] += 1
                count["rendered"] += len(await answered(attack, mode))
            count["answers"] += 1
            count["rendered"] += len(await answered(attack, "strict", model_fails=True))
            for approval in (False, True):
                executed, rendered = await acted(database, attack, approval=approval)
                count["runs"] += 1
                count["executed"] += len(executed)
                count["rendered"] += len(rendered)
    return counts


def main() -> None:
    """Measure, print, keep."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = data_folder()
    every, start = int(os.environ.get("EVERY", "1")), int(os.environ.get("START", "0"))
    attacks = [*OURS, *(load(folder, every, start) if folder else [])]
    with tempfile.TemporaryDirectory(prefix="groundwork-bench-") as name:
        counts = asyncio.run(measure(attacks, Path(name)))
    counts["all"] = sum(counts.values(), Counter())
    for name, count in counts.items():
        print(
            f"{name:12} {count['attacks']:4} attacks, {count['answers']:5} answers and {count['runs']:5} runs: "
            f"{count['executed']} forbidden calls executed, {count['rendered']} links or images rendered"
        )
    write_result("injection", {name: dict(count) for name, count in counts.items()})


if __name__ == "__main__":
    main()
