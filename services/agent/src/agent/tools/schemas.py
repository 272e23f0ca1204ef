"""Validation against JSON schemas: of tools' arguments and of runs' outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MAX_PROBLEMS = 5


class SchemaBroken(ValueError):
    """What was given as a schema is none."""


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator, SchemaError  # 8 MB that answers do without
    from referencing import Registry

    content = json.loads(schema)
    try:
        Draft202012Validator.check_schema(content)
    except SchemaError as error:
        raise SchemaBroken(f"{_path(error)}: {error.message[:300]}") from None
    return Draft202012Validator(content, registry=Registry())  # nothing is ever fetched for a `$ref`


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise `SchemaBroken` for what is no JSON schema, or refers to one elsewhere."""
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise SchemaBroken(f"'{reference[:100]}' is elsewhere; a schema may refer only to its own parts, '#/…'")
    _validator(json.dumps(schema, sort_keys=True))


def problems(schema: Mapping[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, in words for the model; empty if it fits."""
    from referencing.exceptions import Unresolvable

    try:
        errors = sorted(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value), key=_path)
    except (Unresolvable, RecursionError):
        return ["the schema refers to what is not there"]
    return [f"{_path(error)}: {error.message[:300]}" for error in errors[:MAX_PROBLEMS]]


def _path(error: Any) -> str:
    return "/".join(str(part) for part in error.absolute_path) or "the whole"


def _references(schema: Any) -> list[str]:
    found: list[str] = []
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            reference = part.get("$ref")
            if isinstance(reference, str):
                found.append(reference)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return found
