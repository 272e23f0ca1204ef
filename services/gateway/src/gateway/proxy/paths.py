"""Where a call that is passed on goes: its path and its query, as the inner service may see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from contracts.core.base import NAME
from contracts.operations.operation import Operation
from gateway.auth.errors import NotYours


def inner_path(operation: Operation[Any], params: Mapping[str, str]) -> str:
    """The path with its parameters in place; raises `NotYours` for a value that nothing can be called."""
    values = []
    for name in operation.parameters:
        what, allowed = operation.parameter(name)
        value = params[name]
        if not allowed.fullmatch(value) or value in (".", ".."):
            raise NotYours(what, value)
        values.append(value)
    return operation.path_of(*values)


def inner_query(operation: Operation[Any], query: bytes) -> dict[str, str]:
    """The parameters that pass; others have no meaning and are dropped."""
    known = {parameter.name for parameter in operation.queries}
    return {name: value for name, value in parse_qsl(query.decode("latin-1")) if name in known}


def is_name(value: str) -> bool:
    """Whether a collection could be called so."""
    return NAME.fullmatch(value) is not None
