"""Tools for models that can't call them by themselves: what they are told, and what their answers mean.

A call is written as `{"name": ..., "arguments": ...}`, several as a list of these; that the model writes nothing else
is the guided decoding's part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.errors import ToolsUnsupported
from inference.schemas.validation import validator
from servicekit.core.errors import InvalidRequest
from servicekit.core.identifiers import new_id

COMPLETE = ("tool_calls", "stop", "function_call")
"""Why an answer ended that is whole."""
MAX_TOOLS = 128
MAX_CALLS = 8
"""Of one answer."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
FENCE = re.compile(r"^\s*```[a-z]*\s*|\s*```\s*$")
HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*"([A-Za-z0-9_-]{1,64})"\s*,\s*"arguments"\s*:\s*')
"""What a call begins with."""
OPENING = re.compile(r'^\s*(?:\{\s*"calls"\s*:\s*)?\[?')
"""What comes before the first call of several."""
FIELDS = frozenset(("tools", "tool_choice", "parallel_tool_calls"))
"""Of a request, which are read here."""


class MalformedCalls(Exception):
    """The model's answer is no call of these tools; the message says why."""


@dataclass(frozen=True, slots=True)
class Function:
    """One tool. `parameters` is the JSON schema of its arguments, which are an object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tools:
    """What may be called (`functions`), whether something must be, and whether several at once may be."""

    functions: tuple[Function, ...]
    required: bool
    several: bool

    def instruction(self, otherwise: str) -> str:
        """What the model is told; `otherwise` says how it answers without a call."""
        listed = "\n".join(
            json.dumps({"name": f.name, "description": f.description, "parameters": f.parameters}, ensure_ascii=False)
            for f in self.functions
        )
        how = (
            'To call one, write only JSON: {"name": <the function>, "arguments": <an object that fits its parameters>}.'
        )
        several = " To call several, write a JSON list of these." if self.several else ""
        end = "Call a function now." if self.required else otherwise
        return f"You can call these functions:\n{listed}\n{how}{several} {end}"

    def read(self, written: Any) -> list[dict[str, Any]]:
        """The calls of an answer that was parsed, in OpenAI's shape; raises `MalformedCalls`.

        Whether arguments fit their tool is the caller's question, who can tell the model.
        """
        calls = written if isinstance(written, list) else [written]
        if not calls or not all(map(self._is_call, calls)):
            raise MalformedCalls("it is no call")
        return [_call_of(call["name"], _text_of(call.get("arguments", {}))) for call in calls]

    def read_fitting(self, written: Any) -> list[dict[str, Any]]:
        """The same of calls that must fit their tools, since the answer may mean something else."""
        calls = written if isinstance(written, list) else [written]
        if not calls or len(calls) > (MAX_CALLS if self.several else 1):
            raise MalformedCalls(f"it has {len(calls)} calls")
        return [self._fitting(call) for call in calls]

    def partial_calls(self, text: str) -> list[dict[str, Any]]:
        """The calls of an answer that was cut, as OpenAI gives them: the last one's arguments as far as they came."""
        calls, rest = [], OPENING.sub("", text, count=1)
        while function := self._begun(rest):
            head = HEAD.match(rest)
            rest = rest[head.end() :] if head else ""
            try:
                end = json.JSONDecoder().raw_decode(rest)[1] if rest else 0
            except (ValueError, RecursionError):
                end = len(rest)
            calls.append(_call_of(function.name, rest[:end]))
            rest = rest[end:].lstrip("}, \n\t\r")
        return calls

    def _begun(self, text: str) -> Function | None:
        """The function that a call names, also if its name is not whole but can be no other's."""
        if head := HEAD.match(text):
            return next((f for f in self.functions if f.name == head[1]), None)
        bare = re.sub(r"\s", "", text)
        if not bare:
            return None
        could = [f for f in self.functions if f'{{"name":"{f.name}","arguments":'.startswith(bare)]
        return could[0] if len(could) == 1 else None

    def _is_call(self, call: Any) -> bool:
        """Whether it names one of the functions, or another one with arguments."""
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return False
        return "arguments" in call or any(f.name == call["name"] for f in self.functions)

    def _fitting(self, call: Any) -> dict[str, Any]:
        name = call.get("name") if isinstance(call, dict) else None
        function = next((f for f in self.functions if f.name == name), None)
        if function is None:
            raise MalformedCalls("there is no such function")
        arguments = call.get("arguments", {})
        if isinstance(arguments, str):  # written as OpenAI has them in its own answers
            arguments = json_in(arguments)
        error = next(iter(validator(function.parameters, "tools").iter_errors(arguments)), None)
        if error is not None:
            raise MalformedCalls(f"its arguments do not fit the schema: {error.message[:200]}")
        return _call_of(function.name, _text_of(arguments))


def _text_of(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _call_of(name: str, arguments: str) -> dict[str, Any]:
    return {"id": new_id("call"), "type": "function", "function": {"name": name, "arguments": arguments}}


def read_tools(extra: Mapping[str, Any]) -> Tools | None:
    """The tools that a request allows, None where it has none; raises 400 for what makes no sense."""
    listed, choice = extra.get("tools"), extra.get("tool_choice")
    if listed is not None and not isinstance(listed, list):
        raise InvalidRequest("`tools` must be a list.", param="tools")
    if len(listed or ()) > MAX_TOOLS:
        raise InvalidRequest(f"At most {MAX_TOOLS} tools are taken.", param="tools")
    functions = tuple(_function(number, tool) for number, tool in enumerate(listed or ()))
    names = [function.name for function in functions]
    if len(set(names)) < len(names):
        raise InvalidRequest("Two tools have the same name.", param="tools")
    parallel = extra.get("parallel_tool_calls")
    if parallel not in (None, True, False):
        raise InvalidRequest("`parallel_tool_calls` must be true or false.", param="parallel_tool_calls")
    if choice in (None, "none", "auto") and not functions:
        return None
    chosen = _chosen(choice, functions)
    if not chosen:
        return None
    return Tools(
        chosen, required=choice not in (None, "auto"), several=parallel is True and not isinstance(choice, dict)
    )


def _chosen(choice: Any, functions: tuple[Function, ...]) -> tuple[Function, ...]:
    if choice == "none":
        return ()
    if choice in (None, "auto", "required") and functions:
        return functions
    named = choice.get("function", {}) if isinstance(choice, dict) and choice.get("type") == "function" else {}
    found = tuple(f for f in functions if isinstance(named, dict) and f.name == named.get("name"))
    if not found:
        raise InvalidRequest(
            "`tool_choice` must be none, auto, required (with `tools`) or the name of one of the tools: "
            '{"type": "function", "function": {"name": ...}}.',
            param="tool_choice",
        )
    return found


def _function(number: int, tool: Any) -> Function:
    where = f"tools.{number}"
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise ToolsUnsupported(f"{where}.type", "Only tools of type 'function' can be called")
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidRequest("A tool needs a name of 1 to 64 of A-Z a-z 0-9 _ -.", param=f"{where}.function.name")
    description = function.get("description") or ""
    if not isinstance(description, str):
        raise InvalidRequest("A tool's description is text.", param=f"{where}.function.description")
    parameters = function.get("parameters")
    if parameters is None:
        parameters = {"properties": {}, "additionalProperties": False}
    validator(parameters, f"{where}.function.parameters")
    if parameters.get("type", "object") != "object":
        raise InvalidRequest("A tool's parameters are an object.", param=f"{where}.function.parameters")
    return Function(name, description, {"type": "object", **parameters})


def json_in(text: str) -> Any:
    """The first JSON value in a text that may have fences or words around it; raises `MalformedCalls`."""
    bare = FENCE.sub("", text)
    start = min((place for mark in "{[" if (place := bare.find(mark)) >= 0), default=-1)
    if start < 0:
        raise MalformedCalls("it has no JSON")
    try:
        value = json.JSONDecoder(parse_constant=no_number).raw_decode(bare, start)[0]
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could not be passed on
    except (ValueError, RecursionError):
        raise MalformedCalls("its JSON is broken") from None
    return value


def no_number(word: str) -> Any:
    """Refuse `NaN` and `Infinity`, which are no JSON."""
    raise ValueError(word)


class CallReader:
    """Splits one answer, as it is written, into text to show and calls. Calls begin with a brace or a bracket."""

    def __init__(self, tools: Tools, *, structured: bool) -> None:
        self._tools = tools
        self._structured = structured
        """Whether an answer without a call is JSON, too."""
        self._held = ""
        self._plain = False

    def feed(self, text: str) -> str:
        """What may be shown now."""
        if self._plain:
            return text
        self._held += text
        begun = self._held.lstrip()
        opens = "{[" if self._tools.several or self._structured else "{"
        if not begun or begun[0] in opens:
            return ""
        self._plain = True
        shown, self._held = self._held, ""
        return shown

    def finish(self, reason: str) -> tuple[str, list[dict[str, Any]]]:
        """At the end of the answer, for `reason`: text that is still to be shown, and the calls."""
        if self._plain or not self._held.strip():
            return "", []
        try:
            return "", self._tools.read(json_in(self._held))
        except MalformedCalls:
            if self._structured and not self._tools.required and not HEAD.match(OPENING.sub("", self._held)):
                return self._held, []
            calls = self._tools.partial_calls(self._held)
            return ("", calls) if calls or reason == "length" else (self._held, [])
