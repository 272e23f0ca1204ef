"""Agents' runs on PostgreSQL: the same promises as on SQLite, with processes that really write at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from langgraph.checkpoint.conformance import checkpointer_test, validate
from pydantic import SecretStr
from sqlalchemy import Connection, delete
from tests.support.agent.prompt_replicas import move_under_load
from tests.support.home.postgres import postgres_installed, temporary_postgres

from agent.agents.definitions import create_agent
from agent.api import run_completions
from agent.bootstrap import MIGRATIONS, assemble
from agent.dependencies import Dependencies
from agent.runs import events as run_events
from agent.runs import repository as runs
from agent.runs.checkpoints import SqlCheckpoints
from agent.settings import AgentSettings
from agent.tables import CHECKPOINT_WRITES, CHECKPOINTS, metadata
from agent.testing.fixed_tokens import FixedTokens
from agent.testing.memory_library import MemoryLibrary
from agent.testing.scripted_agents import ScriptedAgent, Turn, in_turn
from agent.testing.scripted_answers import ScriptedSearch
from agent.threads import repository as threads
from contracts.agents.agents import AgentCreate
from contracts.models.chat import ChatRequest
from servicekit.core.clock import SystemClock
from servicekit.jobs.notifier import LocalNotifier
from servicekit.jobs.tables import JobOwner
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

pytestmark = pytest.mark.skipif(not postgres_installed(), reason="PostgreSQL is not installed")
RUNS = 12


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    with temporary_postgres() as url:
        database = Database.open(SecretStr(url), tmp_path, "agent")
        await migrate(database, MIGRATIONS)
        yield database
        await database.close()


def service(database: Database, notifier: LocalNotifier) -> Dependencies:
    turns = (Turn("", [("calculator", {"expression": "6*7"})]), "It is 42.")
    settings = AgentSettings(run_slots=4, run_poll_seconds=0.1)
    model = ScriptedAgent(in_turn(*turns))
    return assemble(
        settings, database, ScriptedSearch(), MemoryLibrary(), model, FixedTokens(), notifier, SystemClock()
    )


async def test_two_services_share_runs_and_each_is_done_once(database: Database) -> None:
    notifier, clock = LocalNotifier(), SystemClock()
    viewer = threads.Viewer("acme", "key")
    async with database.write() as connection:
        await create_agent(connection, "acme", AgentCreate(name="helper", tools=["calculator"]), clock.now())  # type: ignore[list-item]
    started = []
    for number in range(RUNS):
        async with database.write() as connection:
            thread = await threads.create_thread(connection, viewer, {}, clock.now())
            principal = JobOwner("acme", "key", "req", "grant")
            row = await runs.create_run(connection, principal, thread.id, ("helper", 1), f"{number}", clock.now())
        started.append((thread.id, row["id"]))
    workers = [service(database, notifier).agents.worker for _ in range(2)]
    working = [asyncio.create_task(worker.run(6.0)) for worker in workers]
    async with asyncio.timeout(60):
        for _, run_id in started:
            events = [
                event async for event in run_events.follow(database, notifier, run_id, 0, 60) if event is not None
            ]
            assert [event.id for event in events] == list(range(1, len(events) + 1))
            assert [event.type for event in events].count("run.started") == 1
            assert events[-1].data["output"] == "It is 42."
    for worker in workers:
        worker.stop()
    await asyncio.gather(*working)
    async with database.read() as connection:
        for thread_id, run_id in started:
            run = runs.to_run(dict(await runs.get_run(connection, thread_id, run_id)))
            assert (run.status, run.steps, run.tool_calls, run.attempts) == ("completed", 2, 1, 1)


async def test_a_run_ends_whatever_characters_its_model_and_its_caller_send(database: Database) -> None:
    opened = service(database, LocalNotifier())
    opened.agents.worker.runner.kind.models.script = in_turn(  # type: ignore[attr-defined]
        Turn("Let me\0see.", [("calculator", {"expression": "6\0*7"})]), "It is\0 42."
    )
    question = ChatRequest.model_validate(
        {"model": "agent:helper", "messages": [{"role": "user", "content": "How\0 much?"}]}
    )
    async with database.write() as connection:
        await create_agent(connection, "acme", AgentCreate(name="helper", tools=["calculator"]), SystemClock().now())  # type: ignore[list-item]
    principal, viewer = JobOwner("acme", "key", "req", "grant"), threads.Viewer("acme", "key")
    run, _ = await run_completions.start(opened.agents, viewer, principal, question)
    claimed = await opened.agents.worker.runner.queue.claim("worker")
    assert claimed is not None
    await opened.agents.worker.runner.run(claimed, asyncio.Event())
    async with database.read() as connection:
        ended = runs.to_run(dict(await runs.get_run(connection, run.thread_id, run.id)))
    assert (ended.input, ended.status, ended.output) == ("How much?", "completed", "It is 42.")


async def test_the_checkpointer_and_the_migration_are_right_here_too(database: Database) -> None:
    @checkpointer_test(name="SqlCheckpoints")
    async def saver() -> AsyncIterator[SqlCheckpoints]:
        async with database.write() as connection:
            for table in (CHECKPOINTS, CHECKPOINT_WRITES):
                await connection.execute(delete(table))
        yield SqlCheckpoints(database)

    report = await validate(saver)
    assert report.passed_all_base(), report.to_dict()

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run(differences) == []


async def test_runs_of_a_tenant_and_sizes_of_messages_are_listed(database: Database) -> None:
    viewer, now = threads.Viewer("acme", "key"), SystemClock().now()
    call = {"id": "c", "name": "add", "arguments": {"n": 1}}
    said = [{"role": "user", "content": "é" * 7}, {"role": "assistant", "content": "", "calls": [call]}]
    async with database.write() as connection:
        thread = await threads.create_thread(connection, viewer, {}, now)
        await threads.append_messages(connection, thread.id, "", said, now)
        principal = JobOwner("acme", "key", "req", "grant")
        row = await runs.create_run(connection, principal, thread.id, ("helper", 1), "Go.", now)
        (asked, answered) = await threads.list_sizes(connection, thread.id, 0)
        assert (asked, answered.role) == (("user", 7), "assistant")
        assert 20 < answered.chars < 80
        page = await runs.list_all_runs(connection, viewer, 10, None, status="queued", agent="helper")
        assert [run.id for run in page.data] == [row["id"]]


async def test_a_label_moves_at_once_on_two_replicas_and_no_request_sees_a_mix(tmp_path: Path) -> None:
    with temporary_postgres() as url:
        one, other = (Database.open(SecretStr(url), tmp_path, "agent") for _ in range(2))
        await migrate(one, MIGRATIONS)
        await move_under_load(one, other)
        await one.close()
        await other.close()
