"""Tool calls as one JSON schema, for servers that hold answers to schemas; and the reading of such answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from inference.schemas.grammar import grammar_schema
from inference.tool_calls.calls import MAX_CALLS, MalformedCalls, Tools, json_in

ANSWER = "text"
"""The key of an answer that is no call."""
SHORT_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}


def answer_schema(tools: Tools, schema: dict[str, Any] | None) -> dict[str, Any]:
    """A call of one of the tools, several where that is allowed, or (unless one is required) an answer of `schema`.

    Each tool's parameters keep their own definitions: what they refer to is looked for where they are put.
    """
    definitions: dict[str, Any] = {}
    forms: list[dict[str, Any]] = []
    for number, function in enumerate(tools.functions):
        arguments = _placed(grammar_schema({"properties": {}, **function.parameters}), f"tool{number}", definitions)
        forms.append(_object({"name": {"const": function.name}, "arguments": arguments}))
    if tools.several:
        many = {"type": "array", "items": {"anyOf": list(forms)}, "minItems": 1, "maxItems": MAX_CALLS}
        forms.append(_object({"calls": many}))
    if not tools.required:
        forms.append(_object({ANSWER: _placed(schema, "answer", definitions) if schema else {"type": "string"}}))
    whole = forms[0] if len(forms) == 1 else {"anyOf": forms}
    return {**whole, "$defs": definitions} if definitions else whole


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    required = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _placed(schema: dict[str, Any], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, or a reference to it where it has references."""
    if '"$ref"' not in json.dumps(schema):
        return schema
    definitions[name] = _moved(schema, f"#/$defs/{name}")
    return {"$ref": f"#/$defs/{name}"}


def _moved(value: Any, root: str) -> Any:
    if isinstance(value, list):
        return [_moved(inner, root) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: root + inner[1:]
        if key == "$ref" and isinstance(inner, str) and inner.startswith("#")
        else _moved(inner, root)
        for key, inner in value.items()
        if key not in ("$id", "$schema")
    }


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What an answer of such a schema means: text, or calls in OpenAI's shape."""

    text: str | None
    calls: list[dict[str, Any]]

    @classmethod
    def of(cls, text: str, tools: Tools) -> ParsedAnswer:
        """Of a complete answer. One that is neither a call nor an answer of the schema is its text, as it is: not every
        server holds its model to schemas."""
        try:
            return cls._of_json(json_in(text), tools)
        except MalformedCalls:
            begun = cls.cut_short(text, tools)
            return begun if begun.text or begun.calls else cls(text, [])

    @classmethod
    def _of_json(cls, written: Any, tools: Tools) -> ParsedAnswer:
        if isinstance(written, dict) and ANSWER in written and "name" not in written:
            answer = written[ANSWER]
            return cls(answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False), [])
        if isinstance(written, dict) and isinstance(written.get("calls"), list):
            written = written["calls"]
        return cls(None, tools.read(written))

    @classmethod
    def cut_short(cls, text: str, tools: Tools) -> ParsedAnswer:
        """Of an answer that ended before its end: what there is of its text or its calls."""
        reader = AnswerReader()
        reader.feed(text)
        return cls(reader.shown or None, [] if reader.shown else tools.partial_calls(text))


class AnswerReader:
    """Shows the text of an answer while its JSON is still being written."""

    def __init__(self) -> None:
        self.text = ""
        """All that was written."""
        self.shown = ""
        self._place: int | None = None
        self._over = False

    def feed(self, text: str) -> str:
        """What of the answer's text is new."""
        self.text += text
        if self._place is None:
            self._place = self._beginning()
        shown = ""
        while self._place is not None and not self._over and (step := self._step(self._place)):
            character, self._place = step
            shown += character
        self.shown += shown
        return shown

    def _beginning(self) -> int | None:
        """The place after `{"text": "`."""
        place = 0
        for mark in ("{", f'"{ANSWER}"', ":", '"'):
            while place < len(self.text) and self.text[place].isspace():
                place += 1
            if not self.text.startswith(mark, place):
                return None
            place += len(mark)
        return place

    def _step(self, place: int) -> tuple[str, int] | None:
        """The character at a place and where the next one begins; None while it is not complete."""
        head = self.text[place : place + 1]
        if head == '"':
            self._over = True
        if head in ("", '"'):
            return None
        if head != "\\":
            return head, place + 1
        kind = self.text[place + 1 : place + 2]
        if kind in SHORT_ESCAPES:
            return SHORT_ESCAPES[kind], place + 2
        return self._unicode(place) if kind == "u" else None

    def _unicode(self, place: int) -> tuple[str, int] | None:
        r"""A `\uXXXX`, or two of them for one character."""
        for length in (6, 12):
            written = self.text[place : place + length]
            if len(written) < length:
                return None
            try:
                character = json.loads(f'"{written}"')
            except ValueError:
                return None
            if not "\ud800" <= character[0] <= "\udbff" or len(character) > 1:
                return ("\ufffd" if "\ud800" <= character <= "\udfff" else character), place + length
            if self.text[place + 6 : place + 7] not in ("", "\\"):
                return "\ufffd", place + 6
        return "\ufffd", place + 6
