"""Two replicas over one database: a label moves a hundred times while both fill prompts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from agent.prompts import repository
from agent.prompts.service import Prompts
from agent.testing.scripted_agents import ScriptedAgent, in_turn
from agent.threads.repository import Viewer
from contracts.agents.prompts import PromptCreate, PromptRender, RenderedPrompt
from servicekit.sql.database import Database

VIEWER = Viewer("acme", "key_1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOVES = 100


def _content(text: str) -> PromptCreate:
    """A version whose parts all say which one it is."""
    messages = [{"role": role, "content": f"{text} {{{{x}}}}"} for role in ("system", "user")]
    examples = [{"input": text, "output": text}]
    return PromptCreate.model_validate(
        {"name": "greeting", "messages": messages, "variables": {"x": {}}, "examples": examples, "description": text}
    )


def _replica(database: Database) -> Prompts:
    return Prompts(database, ScriptedAgent(in_turn("x")), frozenset())


async def _ask(replica: Prompts, label: str) -> RenderedPrompt:
    return await replica.render("acme", "greeting", PromptRender(label=label, variables={"x": "!"}), "token")


def _version_in(rendered: RenderedPrompt) -> int:
    """The one version that every part is of."""
    said = {message.content.removesuffix(" !") for message in rendered.messages}
    assert said == {f"v{rendered.version}"}
    return rendered.version


async def move_under_load(one: Database, other: Database) -> None:
    """Move `production` and a label of one's own back and forth by the first replica; both are asked all the time."""
    replicas = (_replica(one), _replica(other))
    async with one.write() as connection:
        for text in ("v1", "v2"):
            await repository.save_prompt(connection, VIEWER, _content(text), NOW)
        await repository.move_label(connection, VIEWER, "greeting", "candidate", 1)
    done, seen = asyncio.Event(), set[int]()

    async def load(replica: Prompts, label: str) -> None:
        while not done.is_set():
            seen.add(_version_in(await _ask(replica, label)))

    loads = [asyncio.create_task(load(r, label)) for r in replicas for label in ("production", "candidate")]
    for number in range(MOVES):
        wanted = 2 - number % 2
        for label in ("production", "candidate"):
            async with one.write() as connection:
                await repository.move_label(connection, VIEWER, "greeting", label, wanted)
            assert _version_in(await _ask(replicas[1], label)) == wanted, "the move is everywhere once it is done"
    done.set()
    await asyncio.gather(*loads)
    assert seen == {1, 2}
