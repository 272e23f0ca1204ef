"""A tool with an effect that can be counted, and a process that dies in the middle of a call of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from services.agent.tests.runs_bench import Bench

from agent.testing.scripted_agents import Turn
from agent.tools.tool import Repeat, ToolCaller


@dataclass
class Till:
    """A tool with an effect that can be counted, and that can be held up in the middle of a call."""

    repeat: Repeat = "never"
    name: str = "pay"
    kind: str = "till"
    description: str = "Pays."
    paid: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    held: bool = False
    failure: Exception | None = None
    parameters: dict[str, Any] = field(
        default_factory=lambda: {
            "type": "object",
            "properties": {"amount": {"type": "integer"}},
            "required": ["amount"],
            "additionalProperties": False,
        }
    )

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        amount = str(arguments.get("amount", "nothing"))
        self.keys.append(caller.key)
        self.paid.append(amount)
        self.begun.set()
        if self.held:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return f"paid {amount}"


def pay(*amounts: int) -> Turn:
    return Turn("I pay.", [("pay", {"amount": amount}) for amount in amounts])


async def killed_in_the_middle(first: Bench, till: Till) -> None:
    """The process dies while the tool is being called: the work stops where it is, and nothing is tidied up."""
    work = await first.queue.claim("first")
    assert work is not None
    task = asyncio.create_task(first.runner.run(work, first.stopping))
    await till.begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    till.held = False
    till.begun.clear()
    first.clock.advance(31)
