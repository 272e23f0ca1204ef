"""Tuning jobs: `client.tuning` (scopes `evaluations:read`, `evaluations:write`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.improvement.tuning import FINAL_FINE_TUNING_STATUSES, FineTuningEvent, FineTuningJob
from contracts.operations import tuning as operations
from contracts.operations.operation import Operation
from groundwork.client.connection import Connection
from groundwork.client.improvement.polling import wait_for_end

PAGE = 100


class Tuning:
    """Models that learn from question sets."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(
        self,
        question_set: str,
        model: str,
        *,
        version: int | None = None,
        validation: str | None = None,
        method: str = "supervised",
        hyperparameters: Mapping[str, Any] | None = None,
        collection: str | None = None,
        suffix: str | None = None,
        seed: int | None = None,
        skip_leaks: bool = False,
        publish: bool = True,
        general: str | None = None,
        sensitive: str | None = None,
    ) -> FineTuningJob:
        """Queue a job; `wait` for what comes of it. `validation` and `general` are `NAME` or `NAME@N`; `collection` is
        what `embedding`, `reading` and `rerank` learn from. `sensitive` is what becomes of secrets and personal data:
        `mask` (the default), `refuse` or `keep`."""
        options: dict[str, Any] = {"leaks": "skip" if skip_leaks else "refuse", "publish": publish}
        if general is not None:
            options["general_file"] = f"set:{general}"
        if sensitive is not None:
            options["sensitive"] = sensitive
        own = {
            "hyperparameters": dict(hyperparameters or {}),
            **({} if collection is None else {"collection": collection}),
        }
        body = {
            "model": model,
            "training_file": f"set:{question_set}" if version is None else f"set:{question_set}@{version}",
            "validation_file": None if validation is None else f"set:{validation}",
            "method": {"type": method, method: own},
            "suffix": suffix,
            "seed": seed,
            "groundwork": options,
        }
        given = {field: value for field, value in body.items() if value is not None}
        return self._connection.model(operations.CREATE_FINE_TUNING_JOB, json=given)

    def get(self, job_id: str) -> FineTuningJob:
        """One, with its progress and, once it has ended, what came of it."""
        return self._connection.model(operations.GET_FINE_TUNING_JOB, job_id)

    def wait(self, job_id: str, *, timeout: float = 3600.0) -> FineTuningJob:
        """One that has ended, however; raises `WaitTimeout`."""
        return wait_for_end(
            lambda: self.get(job_id),
            FINAL_FINE_TUNING_STATUSES,
            timeout,
            f"The tuning job '{job_id}'",
            lambda found: f"{found.groundwork.done} of {found.groundwork.steps} steps",
        )

    def list(self) -> Iterator[FineTuningJob]:
        """All, newest first."""
        return self._pages(operations.LIST_FINE_TUNING_JOBS)

    def events(self, job_id: str) -> Iterator[FineTuningEvent]:
        """What happened, newest first."""
        return self._pages(operations.LIST_FINE_TUNING_EVENTS, job_id)

    def artifact(self, job_id: str) -> bytes:
        """What it has learnt, as a file."""
        return self._connection.call(operations.GET_FINE_TUNING_ARTIFACT, job_id).content

    def cancel(self, job_id: str) -> FineTuningJob:
        """End one."""
        return self._connection.model(operations.CANCEL_FINE_TUNING_JOB, job_id)

    def publish(self, job_id: str) -> FineTuningJob:
        """Have what it has learnt served, also where it was not better, or in place of a newer one."""
        return self._connection.model(operations.PUBLISH_FINE_TUNING_JOB, job_id)

    def delete(self, job_id: str) -> None:
        """One that has ended, with what it learnt."""
        self._connection.call(operations.DELETE_FINE_TUNING_JOB, job_id)

    def _pages(self, operation: Operation[Any], *path: str) -> Iterator[Any]:
        """As OpenAI's lists go on: after the last id of a page."""
        after: str | None = None
        while True:
            page = self._connection.model(operation, *path, params={"limit": PAGE, "after": after})
            yield from page.data
            if not page.has_more:
                return
            after = page.data[-1].id
