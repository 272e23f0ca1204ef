"""`/v1/agents`: definitions and their versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from agent.agents import definitions
from agent.agents.rights import check_rights
from agent.api.access import Cursor, IdempotencyKey, Limit, Maker, Opened, Reader, call_key, viewer
from agent.errors import DefinitionRefused
from agent.tables import ANSWERS
from contracts.agents import Agent, AgentCreate
from contracts.base import Name
from contracts.pages import Page
from servicekit.auth.delegation import Caller
from servicekit.web.idempotency import StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/agents", tags=["agents"])
AgentName = Annotated[Name, Path()]


@router.post("", status_code=201, response_model=Agent, responses={200: {"model": Agent}})
async def create(body: AgentCreate, caller: Maker, opened: Opened, key: IdempotencyKey = None) -> Response:
    """A new agent (201), a new version of one (201), or the version that there is (200)."""
    check_rights(body, body.name, caller.delegation)
    await opened.toolbox.check(caller.tenant, body)
    if body.model != "default" and await opened.models.model(body.model, caller.token) is None:
        raise DefinitionRefused(
            f"There is no chat model '{body.model[:100]}' that this key may use. GET /v1/models lists them; 'default' "
            "is the one that the operator chose.",
            "model",
        )

    print_ = fingerprint(body.model_dump(mode="json"))
    call, now = call_key(caller, "POST /v1/agents", key), opened.clock.now()
    async with opened.database.write() as connection:

        async def make() -> StoredAnswer:
            agent, new = await definitions.save(connection, caller.tenant, body, now, viewer(caller))
            return StoredAnswer(201 if new else 200, agent.model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, make)
    return Response(answer.body, answer.status, media_type="application/json")


@router.get("", response_model=Page[Agent])
async def listed(caller: Reader, opened: Opened, limit: Limit = 50, cursor: Cursor = None) -> Page[Agent]:
    """The tenant's agents by name."""
    async with opened.database.read() as connection:
        return _seen(await definitions.listed(connection, caller.tenant, limit, cursor), caller)


@router.get("/{name}", response_model=Agent)
async def one(name: AgentName, caller: Reader, opened: Opened) -> Agent:
    """An agent as it is now."""
    async with opened.database.read() as connection:
        return definitions.seen_by(await definitions.find(connection, caller.tenant, name), viewer(caller))


@router.get("/{name}/versions", response_model=Page[Agent])
async def versions(
    name: AgentName,
    caller: Reader,
    opened: Opened,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Agent]:
    """All versions, newest first."""
    async with opened.database.read() as connection:
        return _seen(await definitions.versions(connection, caller.tenant, name, limit, cursor), caller)


@router.delete("/{name}", status_code=204)
async def delete(name: AgentName, caller: Maker, opened: Opened) -> None:
    """No new runs; those under way go on."""
    async with opened.database.write() as connection:
        await definitions.delete(connection, viewer(caller), name, opened.clock.now())


def _seen(page: Page[Agent], caller: Caller) -> Page[Agent]:
    data = [definitions.seen_by(agent, viewer(caller)) for agent in page.data]
    return Page[Agent](data=data, next_cursor=page.next_cursor)
