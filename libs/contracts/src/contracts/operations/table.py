"""All public operations: what the gateway passes on or answers, its OpenAPI document describes and the client calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.operations import (
    administration,
    agents,
    documents,
    evaluations,
    feedback,
    models,
    prompts,
    question_sets,
    records,
    sessions,
    tuning,
)
from contracts.operations.operation import Operation

_SUBJECTS = (
    models,
    documents,
    agents,
    prompts,
    feedback,
    records,
    question_sets,
    evaluations,
    tuning,
    administration,
    sessions,
)
_NAMED = [
    (name.lower(), value)
    for subject in _SUBJECTS
    for name, value in vars(subject).items()
    if isinstance(value, Operation)
]
OPERATIONS: tuple[Operation[Any], ...] = tuple(operation for _, operation in _NAMED)
OPERATION_NAMES: Mapping[str, str] = {operation.id: name for name, operation in _NAMED}
"""`create_document` of `POST /v1/collections/{name}/documents`: the id of the call in the OpenAPI document."""
