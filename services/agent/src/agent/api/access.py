"""Who calls, and what the routes of agents, threads and runs need."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Query, Request

from agent.dependencies import AgentRuntime
from agent.errors import GrantMissing
from agent.threads.repository import Viewer
from servicekit.auth.delegation import Caller, require
from servicekit.jobs.tables import JobOwner
from servicekit.web.idempotency import CallKey

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500)]
Grant = Annotated[str | None, Header(alias="Groundwork-Grant", max_length=16_384)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]


async def _agents(request: Request) -> AgentRuntime:
    opened: AgentRuntime = request.app.state.dependencies.agents
    return opened


RunCaller = Annotated[Caller, require("agent", "agents")]
"""May run agents."""
ThreadCaller = Annotated[Caller, require("agent", "agents", "chat")]
"""May keep conversations."""
AgentWriter = Annotated[Caller, require("agent", "agents:write")]
"""May make, change and delete agents."""
AgentReader = Annotated[Caller, require("agent", "agents", "agents:write")]
"""May look at agents."""
Runtime = Annotated[AgentRuntime, Depends(_agents)]


def viewer(caller: Caller) -> Viewer:
    """Whose threads the caller sees."""
    return Viewer.of(caller.delegation)


def principal(caller: Caller, grant: str | None) -> JobOwner:
    """For whom a run works; raises `GrantMissing`."""
    if not grant:
        raise GrantMissing
    delegation = caller.delegation
    return JobOwner(delegation.tenant, delegation.key_id, delegation.request_id, grant)


def call_key(caller: Caller, route: str, key: str | None) -> CallKey | None:
    """Which call an `Idempotency-Key` names."""
    return None if key is None else CallKey(caller.delegation.key_id, route, key)
