"""Tools as a request declares them."""

from __future__ import annotations

from typing import Any

from inference.tool_calls.calls import Tools, read_tools

PLACE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def tools(*functions: dict[str, Any], choice: str = "required", several: bool = False) -> Tools:
    listed = [{"type": "function", "function": function} for function in functions]
    found = read_tools({"tools": listed, "tool_choice": choice, "parallel_tool_calls": several})
    assert found is not None
    return found


WEATHER = {"name": "weather", "parameters": PLACE}
