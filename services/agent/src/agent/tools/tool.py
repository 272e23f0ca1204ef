"""What a tool is to a run: a name, a schema, a call, and what may be done when a call was cut off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from agent.errors import either
from contracts.access.delegation import Scope
from contracts.agents.runs import RunSource

Repeat = Literal["safe", "key", "never"]
"""Whether a call that was cut off is made again: it changes nothing (`safe`), whoever does it knows the key and does it
once (`key`), or not, since it may have happened (`never`)."""


class ToolFailed(Exception):
    """The call came to nothing; the message is for the model, and says what to do instead where that is known."""


class OutcomeUnknown(ToolFailed):
    """The call broke off: whether it had its effect is not known."""


@dataclass(frozen=True, slots=True)
class ToolCaller:
    """For whom a tool is called: its rights are those of the key that started the run, never more."""

    key: str
    """Names this one call of this run: `<run>:<step>:<number>`."""
    run_id: str
    thread_id: str
    token: Callable[[], Awaitable[str]]
    """A token of the run, for services down the line."""
    scopes: Callable[[], Awaitable[Collection[Scope] | None]] | None = None
    """What the key may do; null, or a None, where nobody says."""
    sources: list[RunSource] = field(default_factory=list)
    """Passages of documents, to which a tool adds what its result is made of: the run's record names them."""

    async def require(self, tool: str, needed: Sequence[Scope]) -> None:
        """Raise `ToolFailed` unless the key has one of these scopes."""
        scopes = None if self.scopes is None else await self.scopes()
        if scopes is not None and not set(needed) & set(scopes):
            raise ToolFailed(
                f"Not made: '{tool}' needs a key with the scope {either(needed)}, and the key of this run lacks it. "
                "An admin can give it."
            )


class Tool(Protocol):
    """One thing that a model may call."""

    @property
    def name(self) -> str:
        """What the model calls it."""
        ...

    @property
    def kind(self) -> str:
        """What metrics call it: the name of a built-in tool, `mcp` for all others."""
        ...

    @property
    def description(self) -> str:
        """What it does, in words for the model."""
        ...

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON schema of its arguments; they are validated against it before each call."""
        ...

    @property
    def repeat(self) -> Repeat:
        """What may be done when a call was cut off."""
        ...

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The result as text for the model; raises `ToolFailed`."""
        ...
