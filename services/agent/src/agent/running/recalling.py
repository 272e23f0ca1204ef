"""The node `recall`: what the model reads of the thread's earlier runs."""

from __future__ import annotations

from typing import Any

from agent import threads
from agent.messages import repaired, user
from agent.running.state import RunContext, RunState


async def recall(_: RunState, context: RunContext) -> dict[str, Any]:
    """The history, whole, and the run's input as the first message of this run."""
    row = context.work.row
    async with context.database.read() as connection:
        earlier = await threads.messages_from(connection, row["thread_id"], 0)
    return {"earlier": repaired(earlier), "messages": [user(row["input"])], "step": 0}
