"""`/v1/monitors`: whether recorded answers are as good as they were. All is the key's own tenant's."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from contracts.core.base import NAME
from contracts.core.pages import Page
from contracts.improvement.monitors import Monitor, MonitorCreate, WorstAnswer
from contracts.models.experiments import JudgedMetric
from contracts.operations import evaluations as operations
from contracts.operations.question_sets import READERS, WRITERS
from contracts.operations.records import READERS as RECORD_READERS
from gateway.api.administration import Limit
from gateway.api.openapi_parts import ERRORS, serve
from gateway.auth.keys import Principal
from gateway.dependencies import Deps, Key
from gateway.monitors.figures import Scope
from gateway.storage.audit_log import Actor
from servicekit.web.router import Router

router = Router(responses=ERRORS)


async def reader_of(key: Key) -> Principal:
    """A key that may read evaluations; asked before anything else is wrong."""
    key.require(*READERS)
    return key


async def writer_of(key: Key) -> Principal:
    """A key that may change them."""
    key.require(*WRITERS)
    return key


ReaderKey = Annotated[Principal, Depends(reader_of)]
WriterKey = Annotated[Principal, Depends(writer_of)]
MonitorName = Annotated[str, Path(max_length=63, pattern=f"^{NAME.pattern}$")]


@serve(router, operations.CREATE_MONITOR)
async def create_monitor(body: MonitorCreate, request: Request, deps: Deps, key: WriterKey) -> Monitor:
    """Watch measures of recorded answers. A measure that falls significantly below the days before, or below a number,
    is told in `falls`, the metrics and the audit log. A `judge` reads
    recorded words: that needs `records:read`, too."""
    if body.judge is not None:
        key.require(*RECORD_READERS)
    return await deps.monitors.create_monitor(_scope(key), body, _actor(key, request))


@serve(router, operations.LIST_MONITORS)
async def list_monitors(deps: Deps, key: ReaderKey) -> Page[Monitor]:
    """All of the own tenant by name, with what has fallen; of a key that is limited to some models or collections, its
    own."""
    return Page[Monitor](data=await deps.monitors.list_monitors(_scope(key)))


@serve(router, operations.GET_MONITOR)
async def get_monitor(name: MonitorName, deps: Deps, key: ReaderKey) -> Monitor:
    """One, with the figures of its window so far."""
    return await deps.monitors.get_monitor(_scope(key), name)


@serve(router, operations.DELETE_MONITOR)
async def delete_monitor(name: MonitorName, request: Request, deps: Deps, key: WriterKey) -> None:
    """Watch no more."""
    await deps.monitors.delete_monitor(_scope(key), name, _actor(key, request))


@serve(router, operations.LIST_WORST_ANSWERS)
async def list_worst_answers(
    name: MonitorName,
    deps: Deps,
    key: ReaderKey,
    metric: Annotated[JudgedMetric, Query(description="The measure that they are the worst by.")],
    limit: Limit = 50,
) -> Page[WorstAnswer]:
    """The answers that pull a measure down, the worst first: of this window, or since the measure's fall."""
    found = await deps.monitors.list_worst(_scope(key), name, metric, limit)
    if key.scopes.isdisjoint(RECORD_READERS):  # a judge's reasons quote what it read
        found = [one.model_copy(update={"reason": None}) for one in found]
    return Page[WorstAnswer](data=found)


def _scope(key: Principal) -> Scope:
    return Scope(key.tenant, key.key_id if key.is_limited else None)


def _actor(key: Principal, request: Request) -> Actor:
    return Actor(key.key_id, request.state.request_id)
