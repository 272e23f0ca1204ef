"""`/v1/agents`: definitions and their versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from agent import definitions
from agent.routes.access import Authorised, Cursor, IdempotencyKey, Limit, Opened, call_key
from agent.tables import ANSWERS
from contracts.agents import Agent, AgentCreate
from contracts.base import Name
from contracts.pages import Page
from servicekit.idempotency import StoredAnswer, fingerprint
from servicekit.routes import Router

router = Router(prefix="/v1/agents", tags=["agents"])
AgentName = Annotated[Name, Path()]


@router.post("", status_code=201, response_model=Agent, responses={200: {"model": Agent}})
async def create(body: AgentCreate, caller: Authorised, opened: Opened, key: IdempotencyKey = None) -> Response:
    """A new agent (201), a new version of one (201), or the version that there is (200)."""
    opened.toolbox.check(caller.tenant, body)

    print_ = fingerprint(body.model_dump(mode="json"))
    call, now = call_key(caller, "POST /v1/agents", key), opened.clock.now()
    async with opened.database.write() as connection:

        async def make() -> StoredAnswer:
            agent, new = await definitions.save(connection, caller.tenant, body, now)
            return StoredAnswer(201 if new else 200, agent.model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, make)
    return Response(answer.body, answer.status, media_type="application/json")


@router.get("", response_model=Page[Agent])
async def listed(caller: Authorised, opened: Opened, limit: Limit = 50, cursor: Cursor = None) -> Page[Agent]:
    """The tenant's agents by name."""
    async with opened.database.read() as connection:
        return await definitions.listed(connection, caller.tenant, limit, cursor)


@router.get("/{name}", response_model=Agent)
async def one(name: AgentName, caller: Authorised, opened: Opened) -> Agent:
    """An agent as it is now."""
    async with opened.database.read() as connection:
        return await definitions.find(connection, caller.tenant, name)


@router.get("/{name}/versions", response_model=Page[Agent])
async def versions(
    name: AgentName,
    caller: Authorised,
    opened: Opened,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Agent]:
    """All versions, newest first."""
    async with opened.database.read() as connection:
        return await definitions.versions(connection, caller.tenant, name, limit, cursor)


@router.delete("/{name}", status_code=204)
async def delete(name: AgentName, caller: Authorised, opened: Opened) -> None:
    """No new runs; those under way go on."""
    async with opened.database.write() as connection:
        await definitions.delete(connection, caller.tenant, name, opened.clock.now())
