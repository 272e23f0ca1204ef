"""Validation against JSON schemas: of tools' arguments and of runs' outputs. Schemas are callers', so it is bounded.

A tenant's schema must not hold up the others' runs: patterns are matched in linear time, and what would take too many
steps (references that multiply, thousands of alternatives for thousands of values) is given up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError as PatternBroken
from pydantic_core import SchemaValidator, core_schema

MAX_PROBLEMS = 5
MAX_REFERENCES = 16
"""From one part of a schema to the next."""
MAX_STEPS = 100_000
"""Keywords of a schema that are looked at for one value: about a second."""
UNBOUNDED = ("unevaluatedItems", "unevaluatedProperties", "$dynamicRef")
"""Keywords whose own search is not counted."""
_Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class SchemaBroken(ValueError):
    """What was given as a schema is none, or can't be checked."""


class TooManySteps(Exception):
    """The value can't be checked in bounded time."""


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator, SchemaError  # 8 MB that answers do without
    from jsonschema.validators import extend
    from referencing import Registry

    content = json.loads(schema)
    try:
        Draft202012Validator.check_schema(content)
    except SchemaError as error:
        raise SchemaBroken(f"{_path(error)}: {error.message[:300]}") from None
    counted = {name: _counted(check) for name, check in {**Draft202012Validator.VALIDATORS, **_OWN}.items()}
    bounded = extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]
    return bounded(content, registry=Registry())  # nothing is ever fetched for a `$ref`


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise `SchemaBroken` for what is no JSON schema, refers to one elsewhere, or can't be checked in bounded time."""
    _validator(json.dumps(schema, sort_keys=True))
    for part in _parts(schema):
        reference = part.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise SchemaBroken(f"'{reference[:100]}' is elsewhere; a schema may refer only to its own parts, '#/…'")
        if unbounded := [name for name in UNBOUNDED if name in part]:
            raise SchemaBroken(f"'{unbounded[0]}' is not supported")
        patterns, named = part.get("pattern"), part.get("patternProperties")
        for pattern in (patterns, *(named if isinstance(named, Mapping) else ())):
            if isinstance(pattern, str):
                _compiled(pattern)


def problems(schema: Mapping[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, in words for the model; empty if it fits."""
    errors = _errors(schema, value)
    if isinstance(errors, str):
        return [errors]
    return [f"{_path(error)}: {error.message[:300]}" for error in errors[:MAX_PROBLEMS]]


def places(schema: Mapping[str, Any], value: Any) -> list[tuple[str | int, ...]]:
    """Where a value does not fit: the paths of its parts, `()` for the whole."""
    errors = _errors(schema, value)
    return [()] if isinstance(errors, str) else [tuple(error.absolute_path) for error in errors]


def resolved(schema: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """A part of a schema, where it only refers to another part (`#/$defs/x`) that one; empty if there is none."""
    for _ in range(MAX_REFERENCES):
        reference = part.get("$ref") if isinstance(part, Mapping) else None
        if not isinstance(reference, str):
            break
        part = schema
        for step in reference.removeprefix("#").split("/")[1:]:
            part = part.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(part, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _errors(schema: Mapping[str, Any], value: Any) -> list[Any] | str:
    """The validator's errors in order, or why there are none to be had."""
    from referencing.exceptions import Unresolvable

    _steps.taken = 0
    try:
        return sorted(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value), key=_path)
    except (Unresolvable, RecursionError):
        return "the schema refers to what is not there"
    except (TooManySteps, SchemaBroken) as error:
        return str(error)


class _Count:
    """What was looked at since a check began. One for all: a check does not wait in its middle."""

    def __init__(self) -> None:
        self.taken = 0

    def add(self, steps: int) -> None:
        """Raises `TooManySteps`."""
        self.taken += steps
        if self.taken > MAX_STEPS:
            raise TooManySteps("the schema takes too long to check: make it, or the answer, simpler")


_steps = _Count()


def _counted(check: _Keyword) -> _Keyword:
    def counted(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any] | None:
        _steps.add(1 + len(wanted) if isinstance(wanted, list) else 1)
        return check(validator, wanted, value, schema)

    return counted


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> SchemaValidator:
    """A matcher of linear time; raises `SchemaBroken` for what is no pattern, or looks around or back."""
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, strict=True))
    except PatternBroken:
        raise SchemaBroken(f"the pattern '{pattern[:100]}' is not one, or looks around or back") from None


def _pattern(validator: Any, wanted: Any, value: Any, _: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if validator.is_type(value, "string") and not _compiled(wanted).isinstance_python(value):
        yield ValidationError(f"{value!r} does not match {wanted!r}")


def _pattern_properties(validator: Any, wanted: Any, value: Any, _: Any) -> Iterator[Any]:
    if validator.is_type(value, "object"):
        _steps.add(len(wanted) * len(value))
        for pattern, schema in wanted.items():
            for name, inner in value.items():
                if _compiled(pattern).isinstance_python(name):
                    yield from validator.descend(inner, schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not validator.is_type(value, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    _steps.add(len(patterns) * len(value))
    matchers = [_compiled(pattern) for pattern in patterns]
    others = [name for name in value if name not in named and not any(one.isinstance_python(name) for one in matchers)]
    if validator.is_type(wanted, "object"):
        for name in others:
            yield from validator.descend(value[name], wanted, path=name)
    elif not wanted and others:
        yield ValidationError(f"there is no place for {', '.join(map(repr, others))}")


def _unique_items(validator: Any, wanted: Any, value: Any, _: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if wanted and validator.is_type(value, "array") and len(set(map(_canonical, value))) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _canonical(value: Any) -> str:
    return json.dumps(_as_one(value), sort_keys=True)


def _as_one(value: Any) -> Any:
    """With 1.0 as 1: they are one number in JSON schema."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _as_one(inner) for name, inner in value.items()}
    return [_as_one(inner) for inner in value] if isinstance(value, list) else value


_OWN: dict[str, _Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}


def _path(error: Any) -> str:
    return "/".join(str(part) for part in error.absolute_path) or "the whole"


def _parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every object in a schema, itself first; those that are no schemas, too."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
