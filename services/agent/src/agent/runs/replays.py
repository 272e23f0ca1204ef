"""A new run from a point of one that has ended: its thread up to there is copied, and the agent goes on from there.

Nothing is made again of what stands before the point: its messages, results of tools included, are read as they were
kept. The run that is replayed, and its thread, stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Text, func, literal_column, select

from agent.agents import definitions
from agent.agents.instructions import pin_instructions
from agent.runs import repository as runs
from agent.runs.errors import NothingLeftToDo, ReplayBeyondLimit, ReplayTooLarge, RunNotEnded, StepNotFound
from agent.runs.origin import Origin, origin_of
from agent.tables import MESSAGES
from agent.threads import repository as threads
from agent.threads.conversations import MOST_BYTES, MOST_MESSAGES
from agent.threads.messages import tokens_of, user
from agent.threads.repository import MESSAGE_BYTES, Viewer
from contracts.agents.runs import FINAL_RUN_STATUSES, RunReplay
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction

_ROLE = MESSAGES.c.message.op("->>", return_type=Text())(literal_column("'role'"))


async def create_replay(
    connection: Transaction,
    viewer: Viewer,
    principal: JobOwner,
    run: Mapping[str, Any],
    wanted: RunReplay,
    now: datetime,
) -> RowMapping:
    """A queued run on a thread of its own, from a point of a run that the viewer sees.

    Raises `RunNotEnded`, `StepNotFound`, `NothingLeftToDo`, `ReplayTooLarge`, `ReplayBeyondLimit`, `ThreadNotFound`,
    and what stands against running that version of the agent.
    """
    if run["status"] not in FINAL_RUN_STATUSES:
        raise RunNotEnded(run["status"])
    chosen = run["agent_version"] if wanted.agent_version is None else wanted.agent_version
    number = None if chosen == "current" else chosen
    version = await definitions.get_runnable_version(connection, viewer, run["agent"], number)
    source = await threads.get_thread(connection, viewer, run["thread_id"], locked=True)
    begins, ends = await _find_messages(connection, run, wanted)
    await _check_room(connection, run["thread_id"], ends)
    agent = await definitions.get_version(connection, viewer.tenant, run["agent"], version)
    await _check_limit(connection, run["thread_id"], begins, ends, agent.limits.tokens)
    pinned = int(run["prompt"].partition("@")[2]) if run["prompt"] and version == run["agent_version"] else None
    prompt = await pin_instructions(connection, viewer.tenant, run["agent"], agent, pinned)
    thread = await threads.copy_thread(connection, viewer, source, ends, now, summarised=begins)
    said = [] if wanted.input is None else [user(wanted.input)]
    origin = Origin(run["thread_id"], run["id"], wanted.after, begins, ends + len(said))
    text = run["input"] if wanted.input is None else wanted.input
    named, taken = (run["agent"], version), origin.values()
    whose = wanted.user or run["user"]
    row = await runs.create_run(connection, principal, thread.id, named, text, now, taken, prompt, whose)
    await threads.append_messages(connection, thread.id, row["id"], said, now)
    return row


async def _find_messages(connection: Transaction, run: Mapping[str, Any], wanted: RunReplay) -> tuple[int, int]:
    """Where on the run's thread the messages begin and end that the new run takes over.

    A step is one message of the model with all that follows until its next one.
    """
    origin = origin_of(run)
    said = (MESSAGES.c.thread_id == run["thread_id"]) & (MESSAGES.c.run_id == run["id"])
    if origin is not None:  # what it took over is none of its own steps
        said &= MESSAGES.c.position >= origin.ends
    own = (await connection.execute(select(MESSAGES.c.position, _ROLE).where(said).order_by(MESSAGES.c.position))).all()
    begins = own[0][0] if origin is None else origin.begins
    steps = [position for position, role in own if role == "assistant"][: run["steps"]]
    if wanted.after > len(steps):
        raise StepNotFound(wanted.after, len(steps))
    ends = own[-1][0] + 1 if own else begins if origin is None else origin.ends
    if wanted.after < len(steps):
        ends = steps[wanted.after]
    (last,) = await threads.list_messages(connection, run["thread_id"], ends - 1, 1)
    if wanted.input is None:
        if last["role"] == "assistant":
            raise NothingLeftToDo(wanted.after)
    elif wanted.after == 0 and last == user(run["input"]):
        ends -= 1
    return begins, ends


async def _check_room(connection: Transaction, thread_id: str, count: int) -> None:
    sizes = select(func.coalesce(func.sum(MESSAGE_BYTES), 0))
    these = (MESSAGES.c.thread_id == thread_id) & (MESSAGES.c.position < count)
    if count > MOST_MESSAGES or (await connection.execute(sizes.where(these))).scalar_one() > MOST_BYTES:
        raise ReplayTooLarge(MOST_MESSAGES, MOST_BYTES)


async def _check_limit(connection: Transaction, thread_id: str, begins: int, ends: int, limit: int) -> None:
    """What is taken over is read whole at the first step, however little the agent may remember."""
    sizes = await threads.list_sizes(connection, thread_id, begins, ends - begins)
    tokens = sum(tokens_of(size.chars) for size in sizes)
    if tokens >= limit:
        raise ReplayBeyondLimit(tokens, limit)
