"""A plan that the model writes down and keeps up to date; it stays in what the model reads."""

from __future__ import annotations

from typing import Any

from agent.tools.built_in import BuiltInTool
from agent.tools.tool import Repeat, ToolCaller


class Plan:
    """`Tool`: the plan as it is now, replacing the one before."""

    name = "plan"
    kind = "plan"
    repeat: Repeat = "safe"
    description = (
        "Writes down the plan: all steps in order, each with its status. Call it first for a task of several steps, "
        "and again whenever a result changes the plan or a step is done."
    )
    parameters: dict[str, Any] = {  # noqa: RUF012  # read only
        "type": "object",
        "properties": {
            "steps": {
                "type": "array",
                "minItems": 1,
                "maxItems": 40,
                "items": {
                    "type": "object",
                    "properties": {
                        "step": {"type": "string", "maxLength": 500},
                        "status": {"enum": ["open", "doing", "done", "dropped"]},
                    },
                    "required": ["step", "status"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["steps"],
        "additionalProperties": False,
    }

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The plan as text."""
        return "\n".join(f"{at}. [{one['status']}] {one['step']}" for at, one in enumerate(arguments["steps"], 1))


BUILT_IN = (BuiltInTool("plan", "Writes down a plan and keeps it up to date.", lambda _options, _resources: Plan()),)
