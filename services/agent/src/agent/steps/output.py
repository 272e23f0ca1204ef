"""The node `finish`: the answer, validated against the agent's schema where it has one, with bounded repair."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from agent.sanitisation.sanitiser import sanitise_shaped, sanitise_value
from agent.steps.state import RunContext, RunState
from agent.threads.messages import user
from agent.tools.schemas import problems
from contracts.core.values import check_value

MAX_REPAIRS = 2
_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)


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
    correction = (
        "Your answer does not fit the schema: " + "; ".join(wrong) + ". Answer again with JSON that fits, nothing else."
    )
    return {"repairs": repairs + 1, "messages": [user(correction)]}


def shown_output(schema: dict[str, Any], text: str) -> str:
    """An answer that has to fit a schema as people see it: JSON with nothing live in it save the schema's strings."""
    value, wrong = read_output(schema, text)
    if value is None and wrong:
        return sanitise_shaped(text)
    return json.dumps(sanitise_value(value, frozenset(_strings(schema))), ensure_ascii=False)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def read_output(schema: dict[str, Any], text: str) -> tuple[Any, list[str]]:
    """The JSON value of an answer (None if there is none), and what is wrong with it. A code fence around it goes."""
    fenced = _FENCED.match(text)
    content = fenced.group(1) if fenced else text
    try:
        value = json.loads(content)
        check_value(value)  # half a character and NaN pass the parser, and no store keeps them
    except (ValueError, RecursionError) as error:
        return None, [f"it is not valid JSON ({error})"]
    return value, problems(schema, value)
