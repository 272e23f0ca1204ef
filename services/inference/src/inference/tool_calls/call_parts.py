"""Tool calls put together from a stream's parts, in the ways in which servers send them, and checked when whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.schemas.validation import validator
from inference.tool_calls.calls import MalformedCalls, json_in
from servicekit.core.identifiers import new_id


class CallParts:
    """The calls of one answer while their parts come.

    Parts belong to a call by `index`. Some servers leave it out or number every call 0: an id that is another one
    begins another call. Some say the name again with each part.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self._at: dict[Any, dict[str, Any]] = {}
        self._last: dict[str, Any] | None = None

    def add(self, parts: object) -> None:
        """Take a delta's `tool_calls`."""
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, dict):
                self._add(part)
            else:
                self.calls.append({"function": None})  # seen when it is checked

    def _add(self, part: dict[str, Any]) -> None:
        call = self._at.get(part["index"]) if part.get("index") is not None else self._last
        if call is None or (part.get("id") and call.get("id") and part["id"] != call["id"]):
            call = {}
            self.calls.append(call)
        self._at[part.get("index")] = self._last = call
        function = part.get("function")
        call.update({key: value for key, value in part.items() if key not in ("index", "function") and value})
        if isinstance(function, dict):
            _extend(call.setdefault("function", {}), function)


def _extend(function: dict[str, Any], part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        if value is None or (key == "name" and value == function.get(key)):
            continue
        before = function.get(key)
        function[key] = before + value if isinstance(before, str) and isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Checker:
    """What is asked of calls: a name, and arguments that are a JSON object; where a tool says `strict`, they must fit
    its schema, too. A name that no tool has, and else arguments that don't fit, are the caller's to tell the model of.
    """

    strict: Mapping[str, Any]
    """Schemas of strict tools by name."""

    @classmethod
    def of(cls, tools: Sequence[Any]) -> Checker:
        """For the tools of a request, whose schemas were checked."""
        functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
        return cls(
            {
                function["name"]: function["parameters"]
                for function in functions
                if isinstance(function, dict)
                and function.get("strict") is True
                and isinstance(function.get("name"), str)
                and isinstance(function.get("parameters"), dict)
            }
        )

    def check(self, call: object) -> dict[str, Any]:
        """The call, mended where that is safe; as it is if it is one of another kind. Raises `MalformedCalls`."""
        if not isinstance(call, dict):
            raise MalformedCalls("it is no object")
        if call.get("type") not in (None, "", "function"):
            return call
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise MalformedCalls("it has no name")
        arguments = _object(function.get("arguments"))
        schema = self.strict.get(function["name"])
        error = (
            None if schema is None else next(iter(validator(schema, "tools").iter_errors(json.loads(arguments))), None)
        )
        if error is not None:
            raise MalformedCalls(f"its arguments do not fit the strict schema: {error.message[:200]}")
        whole = {"id": call.get("id") or new_id("call"), "type": "function"}
        return {**call, **whole, "function": {**function, "arguments": arguments}}


def truncated_call(call: object) -> list[dict[str, Any]]:
    """A call that an answer's limit of tokens cut, its arguments as far as they came; none if it has no name yet."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict) or not function.get("name"):
        return []
    arguments = function.get("arguments")
    whole = {"id": call.get("id") or new_id("call"), "type": "function"}
    return [{**call, **whole, "function": {**function, "arguments": arguments if isinstance(arguments, str) else ""}}]


def _object(arguments: object) -> str:
    """Arguments as the text of a JSON object. Text that is one stays as it is."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return "{}"
    value: Any = arguments
    if isinstance(arguments, str):
        try:
            value = json.loads(arguments)
        except (ValueError, RecursionError):
            value = json_in(arguments)  # fences, words around it, the object twice
        else:
            if isinstance(value, dict):
                json_in(arguments)  # NaN, half characters: what can't be passed on
                return arguments
        if isinstance(value, str):
            value = json_in(value)  # written as text in text
    if not isinstance(value, dict):
        raise MalformedCalls("its arguments are no object")
    return json.dumps(value, ensure_ascii=False)
