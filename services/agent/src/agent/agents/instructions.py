"""An agent's instructions that are a prompt: which version they are when a run begins, and its text."""

from __future__ import annotations

from typing import Any

from agent.prompts import repository
from agent.prompts.errors import InstructionsMissing, PromptRefused, PromptTooLong
from agent.prompts.template import fill
from contracts.agents.agents import MAX_INSTRUCTIONS_CHARS, AgentDefinition, PromptInstructions
from contracts.agents.prompts import PromptDefinition
from servicekit.core.errors import ServiceError
from servicekit.sql.transaction import Transaction


async def pin_instructions(
    connection: Transaction, tenant: str, agent: str, definition: AgentDefinition, number: int | None = None
) -> str | None:
    """`name@n`: the version that the agent's instructions are now, or the one of this `number`; None where they are the
    agent's own. Raises `InstructionsMissing` where the prompt is gone or can't be filled."""
    asked = definition.instructions
    if isinstance(asked, str):
        return None
    reference = asked.reference
    if number is not None:
        reference = reference._replace(label=None, version=number)
    try:
        found, prompt = await repository.resolve(connection, tenant, reference)
        _text(reference.name, prompt, asked)
    except ServiceError as error:
        raise InstructionsMissing(agent, asked.prompt, error.message) from None
    return f"{reference.name}@{found}"


async def get_stored_prompt(connection: Transaction, tenant: str, pinned: str | None) -> Any:
    """The content of a pinned version, unread; None where there is none (any more)."""
    if pinned is None:
        return None
    name, _, number = pinned.partition("@")
    return await repository.get_stored(connection, tenant, name, int(number))


def with_instructions(agent: str, definition: AgentDefinition, stored_prompt: Any) -> AgentDefinition:
    """The definition with the prompt's text for its instructions; raises `InstructionsMissing`."""
    asked = definition.instructions
    if isinstance(asked, str):
        return definition
    if stored_prompt is None:
        raise InstructionsMissing(agent, asked.prompt, "its version was deleted after the run had begun.")
    name = asked.reference.name
    try:
        text = _text(name, PromptDefinition.model_validate(stored_prompt), asked)
    except (ServiceError, ValueError) as error:
        raise InstructionsMissing(agent, asked.prompt, str(error)) from None
    return definition.model_copy(update={"instructions": text})


def _text(name: str, prompt: PromptDefinition, asked: PromptInstructions) -> str:
    """The system messages with their variables."""
    filled = fill(name, prompt, asked.variables)
    texts = [message.content for message in filled if message.role in ("system", "developer")]
    if not texts:
        raise PromptRefused(f"The prompt '{name}' has no system message, which an agent's instructions are made of.")
    text = "\n".join(texts)
    if len(text) > MAX_INSTRUCTIONS_CHARS:
        raise PromptTooLong(name, MAX_INSTRUCTIONS_CHARS)
    return text
