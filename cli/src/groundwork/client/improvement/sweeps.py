"""Sweeps: `client.sweeps`. Scopes: `evaluations:write` and `search` to start one, `documents` to apply it or to try
what needs an index of its own, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.improvement.evaluations import FINAL_EVALUATION_STATUSES
from contracts.improvement.sweeps import Trial
from contracts.operations import evaluations as operations
from groundwork.client.connection import Connection
from groundwork.client.improvement.polling import wait_for_end


class Sweeps:
    """Settings of a collection's search, tried on a question set."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(
        self,
        collection: str,
        question_set: str,
        settings: Mapping[str, Sequence[Any]],
        *,
        version: int | None = None,
        choose_split: str | None = None,
        confirm_split: str | None = None,
        measure: str | None = None,
        answers: bool = False,
        budget_usd: str | None = None,
    ) -> Trial:
        """Queue one: `{"mode": ["hybrid", "sparse"], "rerank": [False, True]}` tries each with each, `chunk_size` and
        `embedding_model` each in an index of its own. The questions of one split choose, those of another confirm;
        without both the set is halved."""
        body = {
            "collection": collection,
            "question_set": question_set,
            "settings": {name: list(values) for name, values in settings.items()},
            "version": version,
            "choose_split": choose_split,
            "confirm_split": confirm_split,
            "measure": measure,
            "answers": answers or None,
            "budget_usd": budget_usd,
        }
        given = {field: value for field, value in body.items() if value is not None}
        return self._connection.model(operations.CREATE_TRIAL, json=given)

    def get(self, trial_id: str) -> Trial:
        """One, with what each combination has shown so far."""
        return self._connection.model(operations.GET_TRIAL, trial_id)

    def wait(self, trial_id: str, *, timeout: float = 3600.0) -> Trial:
        """One that has ended, however; raises `WaitTimeout`."""
        return wait_for_end(
            lambda: self.get(trial_id),
            FINAL_EVALUATION_STATUSES,
            timeout,
            f"The sweep '{trial_id}'",
            lambda found: f"{found.done} of at most {found.questions} questions",
        )

    def list(self, *, collection: str | None = None) -> Iterator[Trial]:
        """All, newest first."""
        return self._connection.pages(operations.LIST_TRIALS, params={"collection": collection})

    def apply(self, trial_id: str) -> Trial:
        """Have the collection searched as was found significantly better; raises `ApiError` 409 where nothing was."""
        return self._connection.model(operations.APPLY_TRIAL, trial_id)

    def revert(self, trial_id: str) -> Trial:
        """Undo what was applied."""
        return self._connection.model(operations.REVERT_TRIAL, trial_id)

    def cancel(self, trial_id: str) -> Trial:
        """End one; what was measured stays."""
        return self._connection.model(operations.CANCEL_TRIAL, trial_id)

    def delete(self, trial_id: str) -> None:
        """One that has ended, with its evaluations."""
        self._connection.call(operations.DELETE_TRIAL, trial_id)
