"""`/v1/threads`: conversations that last."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from agent.api.access import Cursor, IdempotencyKey, Limit, Runtime, ThreadCaller, call_key, viewer
from agent.tables import ANSWERS
from agent.threads import conversations
from agent.threads import repository as threads
from contracts.agents.runs import HistoryMessage, MessagesCreate, Thread, ThreadChange, ThreadCreate
from contracts.core.pages import Page
from servicekit.web.idempotency import StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/threads", tags=["threads"])


@router.post("", status_code=201, response_model=Thread)
async def create_thread(
    body: ThreadCreate, caller: ThreadCaller, runtime: Runtime, key: IdempotencyKey = None
) -> Response:
    """A new, empty thread."""

    print_ = fingerprint(body.model_dump(mode="json"))
    call, now = call_key(caller, "POST /v1/threads", key), runtime.clock.now()
    async with runtime.database.write() as connection:

        async def make() -> StoredAnswer:
            thread = await threads.create_thread(connection, viewer(caller), body.metadata, now)
            return StoredAnswer(201, thread.model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, make)
    return Response(answer.body, answer.status, media_type="application/json")


@router.get("", response_model=Page[Thread])
async def list_threads(
    caller: ThreadCaller,
    runtime: Runtime,
    limit: Limit = 50,
    cursor: Cursor = None,
    mine: Annotated[bool, Query()] = False,
) -> Page[Thread]:
    """Threads, newest first; with `mine` those alone that this key made."""
    async with runtime.database.read() as connection:
        return await threads.list_threads(connection, viewer(caller), limit, cursor, mine=mine)


@router.get("/{thread_id}", response_model=Thread)
async def get_thread(thread_id: str, caller: ThreadCaller, runtime: Runtime) -> Thread:
    """One thread."""
    async with runtime.database.read() as connection:
        return threads.to_thread(await threads.get_thread(connection, viewer(caller), thread_id))


@router.patch("/{thread_id}", response_model=Thread)
async def update_thread(thread_id: str, body: ThreadChange, caller: ThreadCaller, runtime: Runtime) -> Thread:
    """Change fields of its metadata, if this key made it."""
    async with runtime.database.write() as connection:
        seen, now = viewer(caller), runtime.clock.now()
        return await conversations.update_thread(connection, seen, thread_id, body.metadata, now)


@router.post("/{thread_id}/messages", status_code=201, response_model=Thread)
async def add_messages(
    thread_id: str, body: MessagesCreate, caller: ThreadCaller, runtime: Runtime, key: IdempotencyKey = None
) -> Response:
    """Keep what was said outside runs, on a thread that this key made."""
    print_ = fingerprint(body.model_dump(mode="json"))
    call, now = call_key(caller, f"POST /v1/threads/{thread_id}/messages", key), runtime.clock.now()
    async with runtime.database.write() as connection:

        async def add() -> StoredAnswer:
            thread = await conversations.add_messages(connection, viewer(caller), thread_id, body, now)
            return StoredAnswer(201, thread.model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, add)
    return Response(answer.body, answer.status, media_type="application/json")


@router.get("/{thread_id}/history", response_model=Page[HistoryMessage])
async def list_history(
    thread_id: str,
    caller: ThreadCaller,
    runtime: Runtime,
    limit: Limit = 50,
    cursor: Cursor = None,
    run_id: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[HistoryMessage]:
    """What was said in runs that have ended, and what was added, oldest first; or in one run alone."""
    async with runtime.database.read() as connection:
        return await threads.list_history(connection, viewer(caller), thread_id, limit, cursor, run_id=run_id)


@router.delete("/{thread_id}", status_code=204)
async def delete_thread(thread_id: str, caller: ThreadCaller, runtime: Runtime) -> None:
    """The thread with its runs, their events and what was said; a run under way stops."""
    async with runtime.database.write() as connection:
        gone = await threads.delete_thread(connection, viewer(caller), thread_id)
    for run_id in gone:
        runtime.notifier.notify(run_id)
