"""Runs as callers see them: starting, showing, cancelling, deciding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, Text, cast, func, insert, literal, select, update

from agent.errors import ArgumentsDontFit, DecisionsDontFit, RunNotFound, RunNotWaiting, ThreadBusy, ThreadNotFound
from agent.runs.checkpoints import SqlCheckpoints
from agent.runs.conclusion import Conclusion, conclude
from agent.schemas.validation import problems
from agent.tables import RUN_EVENTS, RUN_JOBS, RUNS, THREADS
from agent.threads.repository import Viewer, count_fitting, seen_by
from contracts.agents.runs import Decision, ReplayedFrom, Run, RunStatus, RunUsage
from contracts.core.pages import Page
from servicekit.core.cursors import decode_cursor, encode_cursor
from servicekit.core.identifiers import new_id
from servicekit.jobs.cancellation import request_cancel, revoke
from servicekit.jobs.events import Event
from servicekit.jobs.tables import JobOwner
from servicekit.sql.transaction import Transaction

NANO = Decimal("1e-9")
LIVE = ("queued", "running", "waiting_approval")


async def create_run(
    connection: Transaction,
    principal: JobOwner,
    thread_id: str,
    agent: tuple[str, int],
    text: str,
    now: datetime,
    replayed_from: Mapping[str, Any] | None = None,
    prompt: str | None = None,
    user: str | None = None,
) -> RowMapping:
    """A queued run of an agent's version; raises `ThreadBusy` while another one is under way on the thread, and
    `ThreadNotFound` where that was deleted meanwhile. `replayed_from` is what `agent.runs.replays` made of it, `prompt`
    the version that `agent.agents.instructions` has pinned, `user` whom it is for.
    """
    held = update(THREADS).where(THREADS.c.id == thread_id).values(updated_at=now).returning(THREADS.c.id)
    if (await connection.execute(held)).first() is None:  # one at a time
        raise ThreadNotFound(thread_id)
    live = select(RUNS.c.id).where(RUNS.c.thread_id == thread_id, RUNS.c.status.in_(LIVE))
    busy = (await connection.execute(live)).scalar_one_or_none()
    if busy is not None:
        raise ThreadBusy(busy)
    values = {
        "id": new_id("run"),
        **principal.queued(now),
        "thread_id": thread_id,
        "agent": agent[0],
        "agent_version": agent[1],
        "prompt": prompt,
        "user": user,
        "input": text,
        "replayed_from": replayed_from,
        "cost_nano_usd": 0,
        "last_event": 1,
        "created_at": now,
    }
    row = (await connection.execute(insert(RUNS).values(**values).returning(*RUNS.c))).mappings().one()
    about: dict[str, Any] = {"agent": agent[0], "agent_version": agent[1], **({"prompt": prompt} if prompt else {})}
    if replayed_from is not None:
        about["replayed_from"] = ReplayedFrom.model_validate(replayed_from).model_dump()
    first = Event("run.queued", about)
    await RUN_EVENTS.add(connection, row["id"], 1, [first], now)
    return row


async def get_run(connection: Transaction, thread_id: str, run_id: str) -> RowMapping:
    """A run of a thread that the caller may see; raises `RunNotFound`."""
    query = select(RUNS).where(RUNS.c.id == run_id, RUNS.c.thread_id == thread_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise RunNotFound(run_id)
    return row


async def list_runs(connection: Transaction, thread_id: str, limit: int, cursor: str | None) -> Page[Run]:
    """A thread's runs, newest first, `limit` and `PAGE_BYTES` characters at most."""
    return await _page(connection, _sizes().where(RUNS.c.thread_id == thread_id), limit, cursor)


async def list_all_runs(
    connection: Transaction,
    viewer: Viewer,
    limit: int,
    cursor: str | None,
    *,
    status: RunStatus | None = None,
    agent: str | None = None,
) -> Page[Run]:
    """The runs of all threads that the viewer can list, newest first, `limit` and `PAGE_BYTES` characters at most."""
    these: list[ColumnElement[bool]] = [RUNS.c.tenant == viewer.tenant, seen_by(viewer), THREADS.c.transient.is_(False)]
    if status is not None:
        these.append(RUNS.c.status == status)
    if agent is not None:
        these.append(RUNS.c.agent == agent)
    query = _sizes().join(THREADS, THREADS.c.id == RUNS.c.thread_id).where(*these)
    return await _page(connection, query, limit, cursor)


def _sizes() -> Select[str, int]:
    """The ids of runs, and how many characters of others' are in each."""
    texts = (RUNS.c.input, RUNS.c.output, cast(RUNS.c.pending, Text))
    return select(RUNS.c.id, sum((func.coalesce(func.length(text), 0) for text in texts), start=literal(0)))


async def _page(connection: Transaction, sizes: Select[str, int], limit: int, cursor: str | None) -> Page[Run]:
    if cursor is not None:
        sizes = sizes.where(RUNS.c.id < decode_cursor(cursor, str)[0])
    found = (await connection.execute(sizes.order_by(RUNS.c.id.desc()).limit(limit + 1))).all()
    count = count_fitting([size for _, size in found[:limit]])
    shown = [run_id for run_id, _ in found[:count]]
    query = select(RUNS).where(RUNS.c.id.in_(shown)).order_by(RUNS.c.id.desc())
    rows = (await connection.execute(query)).mappings() if shown else ()
    following = encode_cursor(shown[-1]) if len(found) > count else None
    return Page[Run](data=[to_run(dict(row)) for row in rows], next_cursor=following)


async def cancel_run(
    connection: Transaction, checkpoints: SqlCheckpoints, run: Mapping[str, Any], now: datetime
) -> RowMapping:
    """End a run. One that is being worked on is told to stop; one that waits ends here. An ended one stays as it is."""
    row = await request_cancel(connection, RUN_JOBS, run["id"])
    if row is not None:
        return row
    ending = Conclusion("cancelled")
    values = {**ending.values(now), "last_event": RUNS.c.last_event + 1}
    ended = await revoke(connection, RUN_JOBS, RUNS.c.id == run["id"], values, ("queued", "waiting_approval"))
    if not ended:
        return await get_run(connection, run["thread_id"], run["id"])
    row = ended[0]
    await RUN_EVENTS.add(connection, row["id"], row["last_event"], [ending.event()], now)
    await conclude(connection, checkpoints, dict(row), now)
    return row


async def resume_run(
    connection: Transaction, run: Mapping[str, Any], decisions: Sequence[Decision], now: datetime
) -> RowMapping:
    """Queue a waiting run again with what a person decided; raises `RunNotWaiting`, `DecisionsDontFit` or
    `ArgumentsDontFit`."""
    if run["status"] != "waiting_approval":
        raise RunNotWaiting(run["status"])
    pending = [call["id"] for call in run["pending"] or ()]
    decided = [one.tool_call_id for one in decisions]
    if len(set(decided)) != len(decided):
        raise DecisionsDontFit("A call is decided on twice.")
    if unknown := sorted(set(decided) - set(pending)):
        raise DecisionsDontFit(f"No call '{unknown[0]}' waits for a decision.")
    if missing := [call_id for call_id in pending if call_id not in decided]:
        raise DecisionsDontFit(f"The call '{missing[0]}' is not decided on.")
    _check_edits(run["pending"], decisions)
    taken = {one.tool_call_id: one.model_dump(mode="json") for one in decisions}
    again = (
        update(RUNS)
        .where(RUNS.c.id == run["id"], RUNS.c.status == "waiting_approval", RUNS.c.last_event == run["last_event"])
        .values(
            status="queued",
            decisions=taken,
            pending=None,
            queued_at=now,
            not_before=None,
            last_event=RUNS.c.last_event + 1,
        )
        .returning(*RUNS.c)
    )
    row = (await connection.execute(again)).mappings().one_or_none()
    if row is None:
        raise RunNotWaiting((await get_run(connection, run["thread_id"], run["id"]))["status"])
    resumed = Event("run.resumed", {"decisions": [one.model_dump(mode="json") for one in decisions]})
    await RUN_EVENTS.add(connection, row["id"], row["last_event"], [resumed], now)
    return row


def _check_edits(pending: Sequence[Mapping[str, Any]], decisions: Sequence[Decision]) -> None:
    calls = {call["id"]: call for call in pending}
    for one in decisions:
        call = calls[one.tool_call_id]
        schema = call.get("parameters")
        if one.arguments is not None and schema is not None and (wrong := problems(schema, one.arguments)):
            raise ArgumentsDontFit(call["name"], wrong)


def to_run(row: Mapping[str, Any]) -> Run:
    """A run as the API shows it."""
    return Run(
        **{name: row[name] for name in _AS_THEY_ARE},
        limit=row["limit_reached"],
        replayed_from=row["replayed_from"],
        usage=usage(row),
        pending_tool_calls=row["pending"] or [],
    )


def usage(row: Mapping[str, Any]) -> RunUsage:
    """What its model calls used."""
    prompt, completion, cost = row["prompt_tokens"], row["completion_tokens"], row["cost_nano_usd"]
    return RunUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        model_calls=row["model_calls"],
        cost_usd=None if cost is None else (Decimal(cost) * NANO).normalize() + 0,
    )


_AS_THEY_ARE = (
    "id", "thread_id", "agent", "agent_version", "prompt", "status", "user", "input", "output", "answer", "steps",
    "tool_calls",     "waiting_on", "error", "active_seconds", "attempts", "created_at", "started_at", "finished_at",
)  # fmt: skip
