"""Tool calls of servers in OpenAI's form, whole or in parts: numbered, an id, a type, the name once, arguments as text.

What a model wrote is its caller's: arguments that are no JSON pass as they are, as OpenAI passes them, since clients
have repairs of their own and can tell the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from inference.tool_calls.calls import MalformedCalls, json_in, no_number
from servicekit.core.identifiers import new_id

Form = Literal["as_written", "mended", "malformed"]
"""What became of a call's arguments."""
_OURS = frozenset(("index", "id", "type", "function"))


@dataclass(slots=True)
class _Call:
    """One call while its parts come."""

    number: int
    id: str = ""
    name: str | None = None
    """None until it is known: nothing goes out before."""
    is_function: bool = True
    written: list[str] = field(default_factory=list)
    """Its arguments, all of them."""
    held: str | None = ""
    """Arguments that did not go out yet; None once they pass as they come."""
    form: Form = "as_written"
    _more: dict[str, Any] = field(default_factory=dict)
    """Other fields, until the name is known."""

    def feed(self, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What of a part goes out now."""
        self.is_function = self.is_function and part.get("type") in (None, "", "function")
        if not self.is_function:
            return [{**part, "index": self.number}]
        function = part.get("function")
        function = function if isinstance(function, dict) else {}
        self._more |= {key: value for key, value in part.items() if key not in _OURS and value}
        text = self._passed(function.get("arguments"))
        name = function.get("name")
        named = {key: value for key, value in function.items() if key not in ("name", "arguments") and value}
        if isinstance(name, str) and name and name != self.name:  # some say it with each part
            named["name"] = name
        return self._out(named, text)

    def end(self, *, is_cut: bool) -> list[dict[str, Any]]:
        """What is left; of a call that was cut, nothing is added or mended."""
        if not self.is_function or (is_cut and self.name is None):
            return []
        rest, self.held = self.held or "", None
        if not is_cut:
            arguments = "".join(self.written)
            if not is_object(arguments):
                meant = mended(arguments)
                self.form = "malformed" if meant is None else "mended"
                rest = rest if meant is None else meant
        return self._out({"name": ""} if self.name is None else {}, rest)

    def _passed(self, arguments: object) -> str:
        """What goes out of new arguments. Those that do not begin as an object wait for the end."""
        if arguments is None or arguments == "":
            return ""
        if not isinstance(arguments, str):
            arguments, self.form = json.dumps(arguments, ensure_ascii=False), "mended"
        self.written.append(arguments)
        if self.held is None:
            return arguments
        self.held += arguments
        if not self.held.lstrip().startswith("{"):
            return ""
        text, self.held = self.held, None
        return text

    def _out(self, named: dict[str, Any], text: str) -> list[dict[str, Any]]:
        if self.name is None and "name" not in named:
            self.held = text + (self.held or "")
            return []
        begun: dict[str, Any] = {}
        if self.name is None:
            begun = {"id": self.id or new_id("call"), "type": "function"}
        if "name" in named:
            self.name = named["name"]
        more, self._more = self._more, {}
        if not (begun or named or text or more):
            return []
        return [{"index": self.number, **begun, **more, "function": {**named, "arguments": text}}]


class CallParts:
    """The calls of one streamed answer: each part goes on as it comes.

    Parts belong to a call by `index`. Some servers leave it out or number every call 0: an id that is another one
    begins another call.
    """

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.is_open = False
        """Whether there are calls whose end was not said."""
        self._at: dict[Any, _Call] = {}
        self._last: _Call | None = None

    @property
    def forms(self) -> list[Form]:
        """What became of each call of a function, once it has ended."""
        return [call.form for call in self.calls if call.is_function]

    def add(self, parts: object) -> list[dict[str, Any]]:
        """Take a delta's `tool_calls`; those that go out now."""
        out: list[dict[str, Any]] = []
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, dict):
                out += self._call_of(part).feed(part)
        return out

    def end(self, *, is_cut: bool) -> list[dict[str, Any]]:
        """The answer has ended; the parts that were held back."""
        self.is_open = False
        return [part for call in self.calls for part in call.end(is_cut=is_cut)]

    def _call_of(self, part: Mapping[str, Any]) -> _Call:
        call = self._at.get(part["index"]) if part.get("index") is not None else self._last
        given = part.get("id") if isinstance(part.get("id"), str) else ""
        if call is None or (given and call.id and given != call.id):
            call = _Call(len(self.calls))
            self.calls.append(call)
            self.is_open = True
        call.id = call.id or given or ""
        self._at[part.get("index")] = self._last = call
        return call


def whole_calls(calls: Sequence[Any], *, is_cut: bool) -> tuple[list[dict[str, Any]], list[Form]]:
    """The calls of a whole answer as a stream of them would have them, and what became of each."""
    parts = CallParts()
    numbered = [{**call, "index": number} for number, call in enumerate(calls) if isinstance(call, dict)]
    whole: dict[int, dict[str, Any]] = {}
    for part in [*parts.add(numbered), *parts.end(is_cut=is_cut)]:
        call = whole.setdefault(part["index"], {})
        before = call.get("function")
        call.update({key: value for key, value in part.items() if key != "index"})
        if before is not None:
            text = before["arguments"] + part["function"]["arguments"]
            call["function"] = {**before, **part["function"], "arguments": text}
    return list(whole.values()), [] if is_cut else parts.forms


def is_object(text: str) -> bool:
    """Whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text, parse_constant=no_number), dict)
    except (ValueError, RecursionError):
        return False


def mended(arguments: str) -> str | None:
    """The JSON object that arguments mean which do not begin as one: nothing, text in text, fences or words around it.

    None where they mean none, or have begun as one and gone out.
    """
    if not arguments.strip():
        return "{}"
    if arguments.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        value = arguments
    try:
        value = json_in(value) if isinstance(value, str) else value
    except MalformedCalls:
        return None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else None
