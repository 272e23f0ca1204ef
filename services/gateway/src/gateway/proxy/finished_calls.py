"""Calls that change what others rely on: what follows them is done though the caller leaves, since the service goes on.

What follows is a row of the audit log, the end of cached answers, and what goes with documents. It is done after the
service has committed, by this process: one that is killed in between, or whose service does not answer in time, does it
only where the call is made again (a deletion, which then finds nothing) or not at all (a row of the audit log).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Any

import structlog

from contracts.access.acts import ACT_HEADER, Act
from contracts.operations.documents import DELETE_COLLECTION, DELETE_DOCUMENT
from contracts.operations.operation import Operation
from gateway.auth.keys import Principal
from gateway.dependencies import Dependencies
from gateway.feedback.deletion import delete_sources
from gateway.proxy.quoted_documents import QuotingRecords
from gateway.storage.audit_log import Actor, note
from gateway.streaming.exchange import Exchange
from servicekit.core.errors import PeerError
from servicekit.peers.client import PeerStream

log = structlog.get_logger(__name__)


class WholeAnswer(PeerStream):
    """An answer that has arrived."""

    def __init__(self, stream: PeerStream, pieces: list[bytes]) -> None:
        self.status, self.headers = stream.status, stream.headers
        self._pieces = pieces

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it came."""
        for piece in self._pieces:
            yield piece


async def finish(
    calling: AbstractAsyncContextManager[PeerStream],
    exchange: Exchange,
    deps: Dependencies,
    principal: Principal,
    spec: Operation[Any],
    quoting: QuotingRecords,
) -> WholeAnswer:
    """The answer, when all that follows is done. A caller that leaves ends the wait, not the work; nor does a shutdown,
    which waits for it as for open calls. Each of its steps is bounded in time: the service's answer, writes of ours."""
    deps.meter.opened(None)
    task = asyncio.create_task(_finish(calling, exchange, deps, principal, spec, quoting))
    deps.finishing.add(task)

    def ended(_: object) -> None:
        deps.finishing.discard(task)
        deps.meter.closed(None)

    task.add_done_callback(ended)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_said)  # nobody is there who would be told
        raise


def _said(task: asyncio.Task[WholeAnswer]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("not finished, and its caller has left", error=repr(error), exc_info=error)


@asynccontextmanager
async def ending_answers(deps: Dependencies, principal: Principal, spec: Operation[Any]) -> AsyncIterator[None]:
    """End the tenant's cached answers after a call that says so, unless its service has refused it: where nobody knows
    how it ended, it may have been done."""
    is_refused = False
    try:
        yield
    except PeerError as error:
        is_refused = error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR
        raise
    finally:
        if spec.ends_epoch and not is_refused:
            await deps.answer_cache.end_answers(principal.tenant)


async def _finish(
    calling: AbstractAsyncContextManager[PeerStream],
    exchange: Exchange,
    deps: Dependencies,
    principal: Principal,
    spec: Operation[Any],
    quoting: QuotingRecords,
) -> WholeAnswer:
    async with ending_answers(deps, principal, spec):
        try:
            async with calling as stream:  # what follows does not wait for the body, which may break off
                if ACT_HEADER in stream.headers:
                    await _note_act(exchange, deps, principal, Act.model_validate_json(stream.headers[ACT_HEADER]))
                await _delete_what_came_from(deps, principal, spec, exchange.path_params)
                await quoting.follow()
                return WholeAnswer(stream, [piece async for piece in stream.pieces()])
        except PeerError as error:
            if error.http_status == HTTPStatus.NOT_FOUND:  # deleted before, by a call that did not get so far
                await _delete_what_came_from(deps, principal, spec, exchange.path_params)
                await quoting.follow()
            raise


async def _note_act(exchange: Exchange, deps: Dependencies, principal: Principal, act: Act) -> None:
    """What a service did for an administrator, into the audit log: after it was done, since the service alone knows
    from what to what."""
    detail = {"tenant": principal.tenant, **act.detail}
    actor = Actor(principal.key_id, exchange.request_id)
    try:
        async with deps.database.write() as connection:
            await note(connection, deps.clock.now(), actor, act.action, act.subject, detail)
    except Exception:
        log.error("done, and not in the audit log", action=act.action, subject=act.subject, detail=detail)
        raise


async def _delete_what_came_from(
    deps: Dependencies, principal: Principal, spec: Operation[Any], params: Mapping[str, str]
) -> None:
    """With a document, or all of a collection, goes what people said of answers that quoted it, and what the lab made
    of it and has in no version. A lab that is away keeps nothing from being deleted."""
    if spec.id in (DELETE_DOCUMENT.id, DELETE_COLLECTION.id) and principal.allows_collection(params["name"]):
        await deps.feedback.link(principal.tenant)
        await delete_sources(deps.database, principal.tenant, params["name"], params.get("id"))
        await deps.lab_notices.send(principal.tenant, params["name"], params.get("id"))
