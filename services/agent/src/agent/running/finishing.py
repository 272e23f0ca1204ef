"""The node `finish`: the answer, validated against the agent's schema where it has one, with bounded repair."""

from __future__ import annotations

import json
import re
from typing import Any

from agent.messages import user
from agent.running.state import RunContext, RunState
from agent.tools.schemas import problems
from contracts.values import check_value

MAX_REPAIRS = 2
_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)


async def finish(state: RunState, context: RunContext) -> dict[str, Any]:
    """The output, or what the model is told about one that does not fit."""
    text = state["messages"][-1]["content"]
    schema = context.work.definition.output_schema
    if schema is None:
        return {"output": text}
    found, wrong = read_output(schema, text)
    if not wrong:
        return {"output": found}
    repairs = state.get("repairs", 0)
    if repairs >= MAX_REPAIRS:
        return {"limit": "invalid_output"}
    told = (
        "Your answer does not fit the schema: " + "; ".join(wrong) + ". Answer again with JSON that fits, nothing else."
    )
    return {"repairs": repairs + 1, "messages": [user(told)]}


def read_output(schema: dict[str, Any], text: str) -> tuple[str, list[str]]:
    """The JSON of an answer, and what is wrong with it. A code fence around it is taken off."""
    fenced = _FENCED.match(text)
    content = fenced.group(1) if fenced else text
    try:
        value = json.loads(content)
        check_value(value)  # half a character and NaN pass the parser, and no store keeps them
    except (ValueError, RecursionError) as error:
        return text, [f"it is not valid JSON ({error})"]
    return json.dumps(value, ensure_ascii=False), problems(schema, value)
