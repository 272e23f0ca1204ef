"""The form that an answer is to have: the JSON schema of the request's `response_format`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import OutputFormRefused
from agent.schemas.validation import SchemaBroken, check_schema
from agent.text.words import TOKEN, spaced

MAX_CHARACTERS = 32_000
"""Of a schema: the model reads it, and each value is looked for in the sources."""
MAX_NAMES = 24
"""Names of fields that are searched for, too."""


@dataclass(frozen=True, slots=True)
class OutputForm:
    """A schema that can be checked in bounded time."""

    schema: Mapping[str, Any]
    asked: Mapping[str, Any]
    """`response_format` as it came, which goes on to the model."""

    def searched(self, question: str) -> str:
        """The question with what the form asks for, which is often only there."""
        said = {token.lower() for token in TOKEN.findall(question)}
        names = list(dict.fromkeys(spaced(name) for name in _names(self.schema)))[:MAX_NAMES]
        more = ", ".join(name for name in names if not set(name.lower().split()) <= said)
        return f"{question} ({more})" if more else question


def read_output_form(shape: object) -> OutputForm | None:
    """The form that a `response_format` asks for, None for text; raises what is wrong with it."""
    if not isinstance(shape, dict) or shape.get("type", "text") == "text":
        return None
    if shape.get("type") != "json_schema":
        raise OutputFormRefused("'rag:' models take the types 'text' and 'json_schema'", "response_format")
    named = shape.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else None
    if not isinstance(schema, dict):
        raise OutputFormRefused("`json_schema.schema` must be an object, the JSON schema that the answer fits")
    if len(json.dumps(schema)) > MAX_CHARACTERS:
        raise OutputFormRefused(f"its schema is longer than {MAX_CHARACTERS:,} characters")
    try:
        check_schema(schema)
    except SchemaBroken as error:
        raise OutputFormRefused(str(error)) from None
    return OutputForm(schema, shape)


def _names(schema: Mapping[str, Any]) -> Iterator[str]:
    """The names of the properties in a schema, outer ones first."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, Mapping):
            properties = part.get("properties")
            if isinstance(properties, Mapping):
                yield from properties
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
