"""`/v1/threads`: conversations that last."""

from __future__ import annotations

from fastapi.responses import Response

from agent.api.access import Cursor, IdempotencyKey, Limit, RunCaller, Runtime, call_key, viewer
from agent.tables import ANSWERS
from agent.threads import repository as threads
from contracts.agents.runs import HistoryMessage, Thread, ThreadCreate
from contracts.core.pages import Page
from servicekit.web.idempotency import StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/threads", tags=["threads"])


@router.post("", status_code=201, response_model=Thread)
async def create_thread(
    body: ThreadCreate, caller: RunCaller, runtime: Runtime, key: IdempotencyKey = None
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
async def list_threads(caller: RunCaller, runtime: Runtime, limit: Limit = 50, cursor: Cursor = None) -> Page[Thread]:
    """Threads, newest first."""
    async with runtime.database.read() as connection:
        return await threads.list_threads(connection, viewer(caller), limit, cursor)


@router.get("/{thread_id}", response_model=Thread)
async def get_thread(thread_id: str, caller: RunCaller, runtime: Runtime) -> Thread:
    """One thread."""
    async with runtime.database.read() as connection:
        return threads.to_thread(await threads.get_thread(connection, viewer(caller), thread_id))


@router.get("/{thread_id}/history", response_model=Page[HistoryMessage])
async def list_history(
    thread_id: str, caller: RunCaller, runtime: Runtime, limit: Limit = 50, cursor: Cursor = None
) -> Page[HistoryMessage]:
    """What was said in runs that have ended, oldest first."""
    async with runtime.database.read() as connection:
        return await threads.list_history(connection, viewer(caller), thread_id, limit, cursor)


@router.delete("/{thread_id}", status_code=204)
async def delete_thread(thread_id: str, caller: RunCaller, runtime: Runtime) -> None:
    """The thread with its runs, their events and what was said; a run under way stops."""
    async with runtime.database.write() as connection:
        gone = await threads.delete_thread(connection, viewer(caller), thread_id)
    for run_id in gone:
        runtime.notifier.notify(run_id)
