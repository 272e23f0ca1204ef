"""The node `finish`: the answer, validated against the agent's schema where it has one, with bounded repair."""

from __future__ import annotations

from typing import Any

from agent.schemas.json_output import correction, read_output
from agent.steps.state import RunContext, RunState
from agent.threads.messages import user

MAX_REPAIRS = 2


async def finish(state: RunState, context: RunContext) -> dict[str, Any]:
    """The output, or what the model is told about one that does not fit."""
    text = state["messages"][-1]["content"]
    schema = context.run.definition.output_schema
    if schema is None:
        return {"output": text}
    _, wrong = read_output(schema, state.get("raw") or text)
    if not wrong:
        return {"output": text}
    repairs = state.get("repairs", 0)
    if repairs >= MAX_REPAIRS:
        return {"limit": "invalid_output"}
    return {"repairs": repairs + 1, "messages": [user(correction(wrong))]}
