"""JSON schemas as answers are guided by them: closed objects, and without patterns that no automaton can follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inference.schemas.validation import is_linear_pattern

SAYS_MORE = frozenset(
    (
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
        "propertyNames",
        "$ref",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "dependentRequired",
        "dependencies",
        "minProperties",
    )
)
"""Beside any of these an object's `properties` may not be all that it can have."""
ALTERNATIVES = ("anyOf", "oneOf")
"""Each of their schemas describes the whole value, so that its objects can be closed."""
TOGETHER = ("allOf", "not", "if", "then", "else")
"""Their schemas describe a value together with others: what one doesn't name, another may."""
DEFINITIONS = ("$defs", "definitions")
BY_NAME = ("properties", "patternProperties", "dependentSchemas", *DEFINITIONS)
"""Keywords that hold schemas by names of the caller's."""
VALUES = ("const", "enum", "default", "examples", "required")
"""Keywords that hold no schemas."""


def grammar_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that fewer values fit: an object that lists `properties` and says no more has these alone.

    JSON Schema lets such objects have any other key, too, and a small model that may write keys without end does so,
    until its tokens are used up. A `pattern` that looks around is left out: answers are checked against the schema as
    it came.
    """
    written: dict[str, Any] = _written(schema, closing=True, shared=frozenset(_shared(schema)))
    return written


def _written(value: Any, *, closing: bool, shared: frozenset[str], place: str = "#") -> Any:
    if isinstance(value, list):
        return [_written(item, closing=closing, shared=shared, place=place) for item in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, inner in value.items():
        here = f"{place}/{key}"
        if key == "pattern" and isinstance(inner, str) and not is_linear_pattern(inner):
            continue
        if key in VALUES:
            out[key] = inner
        elif key in BY_NAME and isinstance(inner, dict):
            named = key in DEFINITIONS or (closing and key != "dependentSchemas")
            out[key] = {
                name: _written(each, closing=named, shared=shared, place=f"{here}/{_pointer(str(name))}")
                for name, each in inner.items()
                if key != "patternProperties" or is_linear_pattern(name)
            }
        else:
            whole = closing and key not in TOGETHER
            whole = whole and not (key in ALTERNATIVES and ("properties" in value or "allOf" in value))
            out[key] = _written(inner, closing=whole, shared=shared, place=here)
    if closing and place not in shared and _is_whole(value):
        out["additionalProperties"] = False
    return out


def _is_whole(schema: dict[str, Any]) -> bool:
    properties, required = schema.get("properties"), schema.get("required") or ()
    if not isinstance(properties, dict) or not SAYS_MORE.isdisjoint(schema):
        return False
    return isinstance(required, list | tuple) and all(name in properties for name in required)


def _shared(value: Any, *, together: bool = False) -> Iterator[str]:
    """Where references point whose values are described by others, too."""
    if isinstance(value, list):
        for item in value:
            yield from _shared(item, together=together)
    elif isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and (together or len(value.keys() - {"title", "description", "default"}) > 1):
            yield target
        for key, inner in value.items():
            if key not in VALUES:
                yield from _shared(inner, together=key in TOGETHER or (key in ALTERNATIVES and "properties" in value))


def _pointer(name: str) -> str:
    """A key as JSON pointers write it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
