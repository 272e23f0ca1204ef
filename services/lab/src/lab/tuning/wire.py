"""Rows of tuning jobs in OpenAI's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from contracts.improvement.tuning import (
    DatasetCard,
    FineTuningCheckpoint,
    FineTuningError,
    FineTuningEvent,
    FineTuningJob,
    TuningReport,
)

Row = Mapping[str, Any] | RowMapping
OPENAI = ("n_epochs", "batch_size", "learning_rate_multiplier")
"""The hyperparameters that OpenAI's clients know of."""


def name_of(set_name: str | None, version: int | None) -> str | None:
    """`set:NAME@VERSION`."""
    return None if set_name is None else f"set:{set_name}@{version}"


def job_of(row: Row) -> FineTuningJob:
    """A job."""
    result, settings = row["result"] or {}, row["settings"]
    error = None if row["error"] is None else FineTuningError.model_validate(row["error"])
    return FineTuningJob(
        id=row["id"],
        created_at=int(row["created_at"].timestamp()),
        finished_at=None if row["finished_at"] is None else int(row["finished_at"].timestamp()),
        status="validating_files" if row["status"] == "running" and row["card"] is None else row["status"],
        model=row["model"],
        fine_tuned_model=result.get("served_as"),
        training_file=name_of(row["training_set"], row["training_version"]) or "",
        validation_file=name_of(row["validation_set"], row["validation_version"]),
        hyperparameters={name: settings[name] for name in OPENAI if name in settings},
        method={"type": row["method"], row["method"]: {"hyperparameters": settings}},
        trained_tokens=row["trained_tokens"] or None,
        error=error,
        seed=row["seed"],
        suffix=row["suffix"],
        organization_id=row["tenant"],
        metadata=row["labels"],
        groundwork=report_of(row),
    )


def report_of(row: Row) -> TuningReport:
    """What came of it."""
    card = None if row["card"] is None else DatasetCard.model_validate(row["card"])
    known = {name: value for name, value in (row["result"] or {}).items() if name in TuningReport.model_fields}
    about = {"steps": row["steps"], "done": row["done"], "waiting_on": row["waiting_on"]}
    return TuningReport(card=card, **about, **known)


def event_of(row: Row) -> FineTuningEvent:
    """An event; a failure's is an error."""
    data = dict(row["data"])
    message = str(data.pop("message", ""))
    return FineTuningEvent(
        id=f"{row['job_id']}.{row['id']}",
        created_at=int(row["created_at"].timestamp()),
        level=data.pop("level", "info"),
        message=message,
        type="metrics" if row["type"] == "metrics" else "message",
        data=data,
    )


def checkpoint_of(row: Row) -> FineTuningCheckpoint:
    """An epoch's figures."""
    return FineTuningCheckpoint(
        id=f"{row['job_id']}.{row['step']}",
        created_at=int(row["created_at"].timestamp()),
        fine_tuning_job_id=row["job_id"],
        step_number=row["step"],
        metrics={"step": float(row["step"]), **row["figures"]},
    )
