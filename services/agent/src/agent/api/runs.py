"""`/v1/threads/{id}/runs`: runs started, followed, decided on, cancelled, replayed; `/v1/runs`: those of all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.responses import Response, StreamingResponse

from agent.agents import definitions
from agent.agents.instructions import pin_instructions
from agent.api.access import Cursor, Grant, IdempotencyKey, Limit, RunCaller, Runtime, call_key, principal, viewer
from agent.dependencies import AgentRuntime
from agent.errors import LastEventIdWrong
from agent.runs import events as run_events
from agent.runs import repository as runs
from agent.runs.recorder import RunEnd
from agent.runs.replays import create_replay
from agent.tables import ANSWERS
from agent.threads import repository as threads
from contracts.agents.runs import Resume, Run, RunCreate, RunEvent, RunReplay, RunStatus
from contracts.core.base import Name
from contracts.core.pages import Page
from servicekit.core.errors import ServiceError
from servicekit.streams import sse
from servicekit.web.idempotency import StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/threads/{thread_id}/runs", tags=["runs"])
all_runs = Router(prefix="/v1/runs", tags=["runs"])
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)]
SIGN_OF_LIFE = b": still at work\n\n"
_EVENT = {"schema": {"$ref": "#/components/schemas/RunEvent"}}
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {sse.MEDIA_TYPE: _EVENT}}}


@router.post("", status_code=202, response_model=Run, responses=EVENTS)
async def create_run(
    thread_id: str,
    body: RunCreate,
    request: Request,
    caller: RunCaller,
    runtime: Runtime,
    grant: Grant = None,
    key: IdempotencyKey = None,
) -> Response:
    """Queue a run (202), or with `stream` follow its events from the first (200)."""
    whose = principal(caller, grant)

    call, now = call_key(caller, f"POST /v1/threads/{thread_id}/runs", key), runtime.clock.now()
    print_ = fingerprint(body.model_dump(mode="json", exclude={"stream"}))
    async with runtime.database.write() as connection:

        async def make() -> StoredAnswer:
            await threads.get_thread(connection, viewer(caller), thread_id)
            agent = await definitions.get_runnable_agent(connection, viewer(caller), body.agent)
            named = (agent.name, agent.version)
            prompt = await pin_instructions(connection, caller.tenant, agent.name, agent)
            row = await runs.create_run(
                connection, whose, thread_id, named, body.input, now, prompt=prompt, user=body.user
            )
            return StoredAnswer(202, runs.to_run(dict(row)).model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, make)
    return _started(request, runtime, answer, stream=body.stream)


@router.get("", response_model=Page[Run])
async def list_runs(
    thread_id: str, caller: RunCaller, runtime: Runtime, limit: Limit = 50, cursor: Cursor = None
) -> Page[Run]:
    """The thread's runs, newest first."""
    async with runtime.database.read() as connection:
        await threads.get_thread(connection, viewer(caller), thread_id)
        return await runs.list_runs(connection, thread_id, limit, cursor)


@all_runs.get("", response_model=Page[Run])
async def list_all_runs(
    caller: RunCaller,
    runtime: Runtime,
    limit: Limit = 50,
    cursor: Cursor = None,
    agent: Name | None = None,
    status: RunStatus | None = None,
) -> Page[Run]:
    """The runs of all threads that the caller sees, newest first; of an agent or a status alone."""
    async with runtime.database.read() as connection:
        return await runs.list_all_runs(connection, viewer(caller), limit, cursor, agent=agent, status=status)


@router.get("/{run_id}", response_model=Run)
async def get_run(thread_id: str, run_id: str, caller: RunCaller, runtime: Runtime) -> Run:
    """One run: its status, what it used, and the calls that wait for a decision."""
    async with runtime.database.read() as connection:
        await threads.get_thread(connection, viewer(caller), thread_id)
        return runs.to_run(dict(await runs.get_run(connection, thread_id, run_id)))


@router.get("/{run_id}/events", response_class=StreamingResponse)
async def list_events(
    thread_id: str, run_id: str, request: Request, caller: RunCaller, runtime: Runtime, last: LastEventId = None
) -> StreamingResponse:
    """The run's events after `Last-Event-ID` (default: all), each with its id, to the last; on any replica."""
    number = _number(last)
    async with runtime.database.read() as connection:
        await threads.get_thread(connection, viewer(caller), thread_id)
        await runs.get_run(connection, thread_id, run_id)
    return _stream(request, runtime, run_id, number)


@router.post("/{run_id}/cancel", status_code=202, response_model=Run)
async def cancel_run(thread_id: str, run_id: str, caller: RunCaller, runtime: Runtime) -> Run:
    """End a run. What it did stays done; its history stays readable."""
    async with runtime.database.write() as connection:
        await threads.get_thread(connection, viewer(caller), thread_id)
        row = await runs.get_run(connection, thread_id, run_id)
        changed = await runs.cancel_run(connection, runtime.checkpoints, dict(row), runtime.clock.now())
    if changed["status"] == "cancelled" and row["grant_token"]:  # it waited: no worker tells of its end
        runtime.recorder.submit(RunEnd(row["grant_token"], thread_id, run_id))
    runtime.notifier.notify(run_id)
    return runs.to_run(dict(changed))


@router.post("/{run_id}/resume", status_code=202, response_model=Run)
async def resume_run(thread_id: str, run_id: str, body: Resume, caller: RunCaller, runtime: Runtime) -> Run:
    """Decide on all pending calls of a run that waits for approval."""
    async with runtime.database.write() as connection:
        await threads.get_thread(connection, viewer(caller), thread_id)
        row = await runs.get_run(connection, thread_id, run_id)
        changed = await runs.resume_run(connection, dict(row), body.decisions, runtime.clock.now())
    runtime.notifier.notify(run_id, due=True)
    return runs.to_run(dict(changed))


@router.post("/{run_id}/replay", status_code=202, response_model=Run, responses=EVENTS)
async def replay_run(
    thread_id: str,
    run_id: str,
    body: RunReplay,
    request: Request,
    caller: RunCaller,
    runtime: Runtime,
    grant: Grant = None,
    key: IdempotencyKey = None,
) -> Response:
    """Queue a run on a new thread that goes on from a point of this one, which has ended and stays as it is."""
    whose = principal(caller, grant)
    call, now = call_key(caller, f"POST /v1/threads/{thread_id}/runs/{run_id}/replay", key), runtime.clock.now()
    print_ = fingerprint(body.model_dump(mode="json", exclude={"stream"}))
    async with runtime.database.write() as connection:

        async def make() -> StoredAnswer:
            await threads.get_thread(connection, viewer(caller), thread_id)
            run = await runs.get_run(connection, thread_id, run_id)
            row = await create_replay(connection, viewer(caller), whose, dict(run), body, now)
            return StoredAnswer(202, runs.to_run(dict(row)).model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, make)
    return _started(request, runtime, answer, stream=body.stream)


def _started(request: Request, runtime: AgentRuntime, answer: StoredAnswer, *, stream: bool) -> Response:
    """The queued run, or with `stream` its events."""
    run = Run.model_validate_json(answer.body)
    runtime.notifier.notify(run.id, due=True)
    if stream:
        return _stream(request, runtime, run.id, 0)
    return Response(answer.body, answer.status, media_type="application/json")


def _number(last: str | None) -> int:
    if last is None or last == "":
        return 0
    if not last.isdecimal() or int(last) > 2**31 - 1:
        raise LastEventIdWrong
    return int(last)


def _stream(request: Request, runtime: AgentRuntime, run_id: str, number: int) -> StreamingResponse:
    request_id: str | None = getattr(request.state, "request_id", None)
    quiet = runtime.settings.keepalive_seconds
    following = run_events.follow(
        runtime.database, runtime.notifier, run_id, number, quiet, lambda: runtime.worker.is_stopping
    )
    return StreamingResponse(_pieces(following, request_id), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


async def _pieces(following: AsyncGenerator[RunEvent | None], request_id: str | None) -> AsyncGenerator[bytes]:
    async with aclosing(following):
        try:
            async for event in following:
                if event is None:
                    yield SIGN_OF_LIFE
                else:
                    yield sse.encode(event.model_dump_json(), event.type, str(event.id))
        except ServiceError as error:
            yield sse.encode_error(error, request_id)
