"""`/v1/agents`: definitions and their versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from agent.agents import definitions
from agent.agents.instructions import pin_instructions
from agent.agents.rights import check_rights
from agent.agents.strength import check_strength
from agent.api.access import AgentReader, AgentWriter, Cursor, IdempotencyKey, Limit, Runtime, call_key, viewer
from agent.dependencies import AgentRuntime
from agent.errors import DefinitionRefused
from agent.prompts.errors import InstructionsMissing
from agent.tables import ANSWERS
from contracts.access.acts import Act
from contracts.agents.agents import Agent, AgentCreate
from contracts.core.base import Name
from contracts.core.pages import Page
from servicekit.auth.delegation import Caller
from servicekit.web.idempotency import StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/agents", tags=["agents"])
AgentName = Annotated[Name, Path()]
Number = Annotated[int, Path(ge=1, lt=2**31)]


@router.post("", status_code=201, response_model=Agent, responses={200: {"model": Agent}})
async def create_agent(
    body: AgentCreate, caller: AgentWriter, runtime: Runtime, key: IdempotencyKey = None
) -> Response:
    """A new agent (201), a new version of one (201), or the version that there is (200)."""
    check_rights(body, body.name, caller.delegation)
    await runtime.toolbox.check(caller.tenant, body)
    model = await runtime.models.model(body.model, caller.token)
    if body.model != "default" and model is None:
        raise DefinitionRefused(
            f"There is no chat model '{body.model[:100]}' that this key may use. GET /v1/models lists them; 'default' "
            "is the one that the operator chose.",
            "model",
        )
    if model is not None:
        check_strength(body, model)
    await _check_instructions(body, caller, runtime)
    print_ = fingerprint(body.model_dump(mode="json"))
    call, now = call_key(caller, "POST /v1/agents", key), runtime.clock.now()
    acts: list[Act] = []
    async with runtime.database.write() as connection:

        async def make() -> StoredAnswer:
            before = await definitions.get_current(connection, caller.tenant, body.name)
            agent, new = await definitions.create_agent(connection, caller.tenant, body, now, viewer(caller))
            before = agent.previous if new else before
            acts.extend([] if before in (None, agent.version) else [_activated(agent.name, before, agent.version)])
            return StoredAnswer(201 if new else 200, agent.model_dump_json())

        answer = await ANSWERS.once_within(connection, call, print_, now, make)
    headers = acts[0].header() if acts else {}
    return Response(answer.body, answer.status, headers, media_type="application/json")


def _activated(name: str, before: int | None, after: int) -> Act:
    return Act(action="agent.activate", subject=name, detail={"from": before, "to": after})


async def _check_instructions(body: AgentCreate, caller: Caller, runtime: AgentRuntime) -> None:
    """Raise `DefinitionRefused` for a prompt that can't be used: no run could begin."""
    try:
        async with runtime.database.read() as connection:
            await pin_instructions(connection, caller.tenant, body.name, body)
    except InstructionsMissing as error:
        raise DefinitionRefused(error.message, "instructions") from None


@router.get("", response_model=Page[Agent])
async def list_agents(caller: AgentReader, runtime: Runtime, limit: Limit = 50, cursor: Cursor = None) -> Page[Agent]:
    """The tenant's agents by name."""
    async with runtime.database.read() as connection:
        return _seen(await definitions.list_agents(connection, caller.tenant, limit, cursor), caller)


@router.get("/{name}", response_model=Agent)
async def get_agent(name: AgentName, caller: AgentReader, runtime: Runtime) -> Agent:
    """An agent as it is now."""
    async with runtime.database.read() as connection:
        return definitions.visible_to(await definitions.get_agent(connection, caller.tenant, name), viewer(caller))


@router.get("/{name}/versions", response_model=Page[Agent])
async def list_versions(
    name: AgentName,
    caller: AgentReader,
    runtime: Runtime,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Agent]:
    """All versions, newest first."""
    async with runtime.database.read() as connection:
        return _seen(await definitions.list_versions(connection, caller.tenant, name, limit, cursor), caller)


@router.post("/{name}/versions/{version}/activate", response_model=Agent)
async def activate_version(
    name: AgentName, version: Number, caller: AgentWriter, runtime: Runtime, response: Response
) -> Agent:
    """Make a version the current one: runs that begin from here on have it, those under way keep theirs."""
    async with runtime.database.write() as connection:
        agent, before = await definitions.activate_version(connection, viewer(caller), name, version)
    response.headers.update(_activated(name, before, version).header())
    return agent


@router.delete("/{name}", status_code=204)
async def delete_agent(name: AgentName, caller: AgentWriter, runtime: Runtime) -> None:
    """No new runs; those under way go on."""
    async with runtime.database.write() as connection:
        await definitions.delete_agent(connection, viewer(caller), name, runtime.clock.now())


def _seen(page: Page[Agent], caller: Caller) -> Page[Agent]:
    data = [definitions.visible_to(agent, viewer(caller)) for agent in page.data]
    return Page[Agent](data=data, next_cursor=page.next_cursor)
