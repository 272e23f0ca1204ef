"""Names of the OpenAPI document that code generators make classes and functions of: each once, each readable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.operations.table import OPERATION_NAMES, OPERATIONS

REF = "#/components/schemas/"
INPUT, OUTPUT = "Input", "Output"
_SEPARATE = {f"-{INPUT}": INPUT, f"-{OUTPUT}": ""}
"""How FastAPI marks the two forms of a model that is not sent as it is received, and how we do."""


def name_calls(document: dict[str, Any]) -> None:
    """Give each call the name of its operation as id: `create_document`."""
    for operation in OPERATIONS:
        document["paths"][operation.path][operation.method.lower()]["operationId"] = OPERATION_NAMES[operation.id]


def name_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """The document with schemas whose titles are their names, which no two share."""
    names = {name: _readable(name) for name in document["components"]["schemas"]}
    if len(set(names.values())) < len(names):
        raise ValueError(f"two schemas have one name: {sorted(names.values())}")
    named = rename(document, {name: other for name, other in names.items() if name != other})
    schemas = named["components"]["schemas"]
    named["components"]["schemas"] = {names[name]: {**schemas[name], "title": names[name]} for name in schemas}
    return named


def rename(holder: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The same with references to schemas by their other names."""
    text = json.dumps(holder)
    for name, other in names.items():
        text = text.replace(f'"{REF}{name}"', f'"{REF}{other}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def _readable(name: str) -> str:
    for end, other in _SEPARATE.items():
        if name.endswith(end):
            return name.removesuffix(end) + other
    return name
