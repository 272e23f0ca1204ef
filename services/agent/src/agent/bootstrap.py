"""Builds the service: the only file that picks adapters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI

from agent.agents import definition_files
from agent.answering.graph import Answering
from agent.api import administration, chat, mcp, prompts, runs, summaries, threads
from agent.api import agents as agent_routes
from agent.dependencies import AgentRuntime, Dependencies
from agent.mcp.server import McpServer
from agent.metrics import TOOL_CALLS, TOOL_OUTCOMES
from agent.peers.model_plane import ModelPlane, PlaneSearch
from agent.peers.reader import PlaneReader
from agent.peers.retriever import RetrieverLibrary
from agent.ports import Library, Models, Reader, Search, TokenSource
from agent.prompts.service import Prompts
from agent.runs.checkpoints import SqlCheckpoints
from agent.runs.recorder import RunRecorder
from agent.settings import AgentSettings
from agent.tables import RUN_JOBS
from agent.threads.retention import prune
from agent.tools.built_in import ToolResources, built_in_tools
from agent.tools.http_calls import HttpCalls
from agent.tools.mcp_servers import read_servers
from agent.tools.toolbox import Toolbox
from agent.worker.deadlines import end_overdue
from agent.worker.execution import Execution, RunObserver
from servicekit.auth.grants import GrantExchange
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.probes import Probe
from servicekit.jobs.leased_job import JobStore
from servicekit.jobs.notifier import Notifier, RedisNotifier
from servicekit.jobs.queue import Queue
from servicekit.jobs.runner import Runner
from servicekit.jobs.worker import Chore, Worker, run_worker, worker_name
from servicekit.peers.client import Peer, open_session
from servicekit.redis.client import open_redis
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate
from servicekit.telemetry.metrics import begin_at_zero
from servicekit.web.app import build_app

log = structlog.get_logger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"
CHANNEL = "groundwork:agent:runs"
PRUNE_SECONDS = 300.0


def assemble(
    settings: AgentSettings,
    database: Database,
    search: Search,
    library: Library,
    models: Models,
    tokens: TokenSource,
    notifier: Notifier,
    clock: Clock,
    reader: Reader | None = None,
) -> Dependencies:
    """The domain over these adapters. A reading model need not be there."""
    checkpoints = SqlCheckpoints(database)
    http = HttpCalls(settings.http_policy(), settings.http_seconds, settings.http_bytes)
    servers = read_servers(settings.mcp_file)
    resources = ToolResources(search, library, http, database, clock)
    toolbox = Toolbox(resources, servers, max_seconds=settings.run_seconds)
    begin_at_zero(TOOL_CALLS, [*built_in_tools(), "mcp"], TOOL_OUTCOMES)
    recorder = RunRecorder(database, tokens)
    library_of_prompts = Prompts(database, models, settings.protected)
    answering = Answering(search, models, library, settings, reader, library_of_prompts)
    execution = Execution(checkpoints, toolbox, models, tokens, recorder, settings, answering)
    store = JobStore(database, RUN_JOBS, clock, settings.run_lease_seconds, notifier)
    runner = Runner(Queue(store, execution, settings.tenant_slots), RunObserver())
    chores = [
        Chore(PRUNE_SECONDS, lambda: prune(database, clock.now(), settings)),
        Chore(0.0, lambda: end_overdue(store, checkpoints, recorder)),
    ]
    worker = Worker(runner, worker_name("agent"), settings.run_slots, settings.run_poll_seconds, chores)
    agents = AgentRuntime(database, checkpoints, notifier, toolbox, worker, clock, settings, models, recorder)
    return Dependencies(answering, agents, McpServer(answering, library), library_of_prompts)


@asynccontextmanager
async def open_dependencies(settings: AgentSettings) -> AsyncIterator[Dependencies]:
    """The real adapters, and the worker that runs agents, until the service ends. Redis need not be there."""
    async with AsyncExitStack() as stack:
        database = Database.open(settings.database_url, settings.data_dir, "agent")
        stack.push_async_callback(database.close)
        await migrate(database, MIGRATIONS)
        redis = open_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        notifier = RedisNotifier(redis, CHANNEL)
        notifier.open()
        stack.push_async_callback(notifier.close)
        session = await stack.enter_async_context(open_session())
        restart = settings.restart_seconds
        retriever = Peer("retriever", settings.retriever_url, session, settings.search_seconds, restart_seconds=restart)
        gateway = Peer("gateway", settings.gateway_url, session, settings.deadline_seconds, restart_seconds=restart)
        library = RetrieverLibrary(retriever)
        models, search = ModelPlane(gateway, settings.embedding_model), PlaneSearch(gateway, settings.search_seconds)
        tokens = GrantExchange(gateway, "runs")
        clock = SystemClock()
        reader = PlaneReader(gateway, settings.reader_seconds, clock)
        opened = assemble(settings, database, search, library, models, tokens, notifier, clock, reader)
        if settings.definitions_dir is not None:
            files = await asyncio.to_thread(definition_files.read_folder, settings.definitions_dir)
            toolbox, now = opened.agents.toolbox, opened.agents.clock.now()
            await definition_files.save_agents(files, database, now, toolbox.check_alone)
        stack.push_async_callback(opened.agents.recorder.close)
        await stack.enter_async_context(run_worker(opened.agents.worker, settings.drain_seconds))
        yield opened


def create_app(settings: AgentSettings, dependencies: Dependencies | None = None) -> FastAPI:
    """The app; with given dependencies, those are used and left open."""

    @asynccontextmanager
    async def given() -> AsyncIterator[Dependencies]:
        assert dependencies is not None
        yield dependencies

    def real() -> AbstractAsyncContextManager[Dependencies]:
        return open_dependencies(settings)

    opening: Callable[[], AbstractAsyncContextManager[Dependencies]] = real if dependencies is None else given
    answers = [chat.router, summaries.router]
    routers = [
        *answers,
        agent_routes.router,
        prompts.router,
        threads.router,
        runs.router,
        runs.all_runs,
        mcp.router,
        administration.router,
    ]
    return build_app("agent", settings=settings, opening=opening, routers=routers, probes=_probes)


def _probes(dependencies: Dependencies) -> Mapping[str, Probe]:
    answering, agents = dependencies.answering, dependencies.agents
    return {
        "retriever": agents.toolbox.resources.library.probe,
        "models": answering.models.probe,
        "database": agents.database.probe,
        "redis": agents.notifier.probe,
        "runs": agents.worker.probe,
        "records": agents.recorder.probe,
    }
