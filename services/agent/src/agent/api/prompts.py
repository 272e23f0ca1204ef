"""`/v1/prompts`: templates, their versions and labels."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.responses import Response

from agent.api.access import AgentWriter, Cursor, IdempotencyKey, Limit, Runtime, call_key, viewer
from agent.prompts import repository
from agent.prompts.errors import PromptNotYours
from agent.prompts.service import Prompts
from agent.tables import ANSWERS
from contracts.access.acts import Act
from contracts.agents.prompts import (
    PRODUCTION,
    LabelMove,
    Prompt,
    PromptCreate,
    PromptRender,
    PromptSummary,
    RenderedPrompt,
)
from contracts.core.base import Name
from contracts.core.pages import Page
from servicekit.auth.delegation import Caller, require
from servicekit.web.idempotency import StoredAnswer, fingerprint
from servicekit.web.router import Router

router = Router(prefix="/v1/prompts", tags=["prompts"])


async def _prompts(request: Request) -> Prompts:
    opened: Prompts = request.app.state.dependencies.prompts
    return opened


PromptName = Annotated[Name, Path()]
LabelName = Annotated[str, Path(pattern="^[a-z][a-z0-9_-]{0,62}$")]
Number = Annotated[int, Path(ge=1, lt=2**31)]
Library = Annotated[Prompts, Depends(_prompts)]
PromptReader = Annotated[Caller, require("agent", "chat", "agents", "agents:write", "prompts:release")]
"""May use prompts, and so look at them."""
PromptUser = Annotated[Caller, require("agent", "chat")]
LabelMover = Annotated[Caller, require("agent", "agents:write", "prompts:release")]


@router.post("", status_code=201, response_model=Prompt, responses={200: {"model": Prompt}})
async def create_prompt(
    body: PromptCreate, caller: AgentWriter, runtime: Runtime, prompts: Library, key: IdempotencyKey = None
) -> Response:
    """A new prompt (201), a new version of one (201), or the version that there is (200)."""
    who = viewer(caller)
    if body.label is not None:
        prompts.check_mover(who, body.label)
    await prompts.check(body.name, body, caller.token)
    call, now = call_key(caller, "POST /v1/prompts", key), runtime.clock.now()
    acts: list[Act] = []
    async with runtime.database.write() as connection:

        async def make() -> StoredAnswer:
            prompt, new, moved = await repository.save_prompt(connection, who, body, now)
            acts.extend(one for one in [_into_production(prompt, body.label) if new else None, moved] if one)
            return StoredAnswer(201 if new else 200, prompt.model_dump_json())

        answer = await ANSWERS.once_within(connection, call, fingerprint(body.model_dump(mode="json")), now, make)
    headers = acts[0].header() if acts else {}
    return Response(answer.body, answer.status, headers, media_type="application/json")


def _into_production(prompt: Prompt, label: str | None) -> Act | None:
    """Of a version that was made now: a first one is in production at once, and that of a name that was deleted. One
    act is told, so that it also names a label that it was saved under."""
    production = next(one for one in prompt.labels if one.label == PRODUCTION)
    if production.version != prompt.version or production.previous is not None:
        return None
    also = {} if label in (None, PRODUCTION) else {"also": label}
    detail = {"label": PRODUCTION, "from": None, "to": prompt.version, **also}
    return Act(action="prompt.label", subject=prompt.name, detail=detail)


@router.get("", response_model=Page[PromptSummary])
async def list_prompts(
    caller: PromptReader, runtime: Runtime, limit: Limit = 50, cursor: Cursor = None
) -> Page[PromptSummary]:
    """The tenant's prompts by name, without their texts."""
    async with runtime.database.read() as connection:
        return await repository.list_prompts(connection, viewer(caller), limit, cursor)


@router.get("/{name}", response_model=Prompt)
async def get_prompt(name: PromptName, caller: PromptReader, runtime: Runtime) -> Prompt:
    """The version in production."""
    async with runtime.database.read() as connection:
        return await repository.get_prompt(connection, viewer(caller), name)


@router.delete("/{name}", status_code=204)
async def delete_prompt(
    name: PromptName, caller: AgentWriter, runtime: Runtime, prompts: Library, response: Response
) -> None:
    """Delete a prompt with its labels, one of which may be protected."""
    who = viewer(caller)
    async with runtime.database.write() as connection:
        prompt = await repository.get_prompt(connection, who, name)
        prompts.check_mover(who, *(label.label for label in prompt.labels))
        await repository.delete_prompt(connection, who, name, runtime.clock.now())
    response.headers.update(Act(action="prompt.delete", subject=name, detail={"from": prompt.version}).header())


@router.get("/{name}/versions", response_model=Page[Prompt])
async def list_versions(
    name: PromptName, caller: PromptReader, runtime: Runtime, limit: Limit = 20, cursor: Cursor = None
) -> Page[Prompt]:
    """All versions, newest first."""
    async with runtime.database.read() as connection:
        return await repository.list_versions(connection, viewer(caller), name, limit, cursor)


@router.get("/{name}/versions/{version}", response_model=Prompt)
async def get_version(name: PromptName, version: Number, caller: PromptReader, runtime: Runtime) -> Prompt:
    """One version."""
    async with runtime.database.read() as connection:
        return await repository.get_version(connection, viewer(caller), name, version)


@router.delete("/{name}/versions/{version}", status_code=204)
async def delete_version(name: PromptName, version: Number, caller: AgentWriter, runtime: Runtime) -> None:
    """Remove a version that no label points at."""
    async with runtime.database.write() as connection:
        await repository.delete_version(connection, viewer(caller), name, version)


@router.put("/{name}/labels/{label}", response_model=Prompt)
async def move_label(
    name: PromptName,
    label: LabelName,
    body: LabelMove,
    caller: LabelMover,
    runtime: Runtime,
    prompts: Library,
    response: Response,
) -> Prompt:
    """Have a label point at a version, at once for all that is asked from here on."""
    who = viewer(caller)
    prompts.check_mover(who, label)
    async with runtime.database.write() as connection:
        prompt, moved = await repository.move_label(connection, who, name, label, body.version)
    response.headers.update(moved.header())
    return prompt


@router.delete("/{name}/labels/{label}", status_code=204)
async def delete_label(
    name: PromptName, label: LabelName, caller: LabelMover, runtime: Runtime, prompts: Library, response: Response
) -> None:
    """Remove a label."""
    who = viewer(caller)
    prompts.check_mover(who, label)
    async with runtime.database.write() as connection:
        gone = await repository.delete_label(connection, who, name, label)
    response.headers.update(gone.header())


@router.post("/{name}/render", response_model=RenderedPrompt)
async def render_prompt(
    name: PromptName, body: PromptRender, caller: PromptReader, runtime: Runtime, prompts: Library
) -> RenderedPrompt:
    """What a model is asked with these variables, for a key that may see the prompt."""
    async with runtime.database.read() as connection:
        if (await repository.get_prompt(connection, viewer(caller), name)).withheld:
            raise PromptNotYours(name)
    return await prompts.render(caller.tenant, name, body, caller.token)


@router.post("/{name}/fill", response_model=RenderedPrompt)
async def fill_prompt(name: PromptName, body: PromptRender, caller: PromptUser, prompts: Library) -> RenderedPrompt:
    """The same for the gateway, which asks the model and shows its answer."""
    return await prompts.render(caller.tenant, name, body, caller.token)
