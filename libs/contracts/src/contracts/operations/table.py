"""All public operations: what the gateway passes on or answers, its OpenAPI document describes and the client calls."""

from __future__ import annotations

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

OPERATIONS: tuple[Operation[Any], ...] = tuple(
    value
    for subject in (
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
    for value in vars(subject).values()
    if isinstance(value, Operation)
)
