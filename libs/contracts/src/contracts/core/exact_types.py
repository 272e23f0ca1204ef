"""Takes integers, numbers and booleans only as JSON writes them.

pydantic by itself also takes `false` for 0, 0 for `false` and `"5"` for 5, against the schemas that we publish. Its
strict mode is no way out: of values that are parsed already it refuses times, which JSON writes as texts.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticKnownError
from pydantic_core.core_schema import no_info_before_validator_function

_PARTS = ("schema", "items_schema", "values_schema", "extras_schema", "choices", "steps", "fields")
"""Where a core schema holds others. The keys of objects are not among them: JSON has only texts there."""


def exact(schema: Any, model: type) -> Any:
    """The core schema of a model, with the types of its own fields exact; models within say so for themselves.

    5.0 is an integer, as in JSON Schema. A field that is declared with `strict=False` stays as it is.
    """
    if isinstance(schema, list | tuple):
        return type(schema)(exact(part, model) for part in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if not isinstance(kind, str):  # schemas by name, and "type" may be one of the names
        return {name: exact(part, model) for name, part in schema.items()}
    if kind in ("bool", "float"):
        return {"strict": True, **schema}
    if kind == "int" and "strict" not in schema:
        return no_info_before_validator_function(_refuse_other_types, schema)
    if _is_exact(schema) or (kind == "model" and schema["cls"] is not model):
        return schema
    found = {name: exact(part, model) if name in _PARTS else part for name, part in schema.items()}
    if kind == "union":  # errors name the choice, and not our function
        found["choices"] = [(choice, "int") if _is_exact(choice) else choice for choice in found["choices"]]
    return found


def _is_exact(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("function", {}).get("function") is _refuse_other_types


def _refuse_other_types(value: object) -> object:
    if isinstance(value, bool | str | bytes):
        raise PydanticKnownError("int_type")
    return value
