"""`/v1/threads`: conversations that last."""

from __future__ import annotations

from fastapi.responses import Response

from agent.api.access import Authorised, Cursor, IdempotencyKey, Limit, Opened, call_key, viewer
from agent.tables import ANSWERS
from agent.threads import repository as threads
from contracts.pages import Page
from contracts.runs import HistoryMessage, Thread, ThreadCreate
from servicekit.web.idempotency import StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/threads", tags=["threads"])


@router.post("", status_code=201, response_model=Thread)
async def create(body: ThreadCreate, caller: Authorised, opened: Opened, key: IdempotencyKey = None) -> Response:
    """A new, empty thread."""

    print_ = fingerprint(body.model_dump(mode="json"))
    call, now = call_key(caller, "POST /v1/threads", key), opened.clock.now()
    async with opened.database.write() as connection:

        async def make() -> StoredAnswer:
            thread = await threads.create(connection, viewer(caller), body.metadata, now)
            return StoredAnswer(201, thread.model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, make)
    return Response(answer.body, answer.status, media_type="application/json")


@router.get("", response_model=Page[Thread])
async def listed(caller: Authorised, opened: Opened, limit: Limit = 50, cursor: Cursor = None) -> Page[Thread]:
    """Threads, newest first."""
    async with opened.database.read() as connection:
        return await threads.listed(connection, viewer(caller), limit, cursor)


@router.get("/{thread_id}", response_model=Thread)
async def one(thread_id: str, caller: Authorised, opened: Opened) -> Thread:
    """One thread."""
    async with opened.database.read() as connection:
        return threads.shown(await threads.find(connection, viewer(caller), thread_id))


@router.get("/{thread_id}/history", response_model=Page[HistoryMessage])
async def history(
    thread_id: str, caller: Authorised, opened: Opened, limit: Limit = 50, cursor: Cursor = None
) -> Page[HistoryMessage]:
    """What was said in runs that have ended, oldest first."""
    async with opened.database.read() as connection:
        return await threads.history(connection, viewer(caller), thread_id, limit, cursor)


@router.delete("/{thread_id}", status_code=204)
async def delete(thread_id: str, caller: Authorised, opened: Opened) -> None:
    """The thread with its runs, their events and what was said; a run under way stops."""
    async with opened.database.write() as connection:
        gone = await threads.remove(connection, viewer(caller), thread_id)
    for run_id in gone:
        opened.bell.ring(run_id)
