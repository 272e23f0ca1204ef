"""Evaluations: `client.evaluations` (scopes `evaluations:read`, `evaluations:write`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.improvement.evaluations import (
    FINAL_EVALUATION_STATUSES,
    Evaluation,
    EvaluationAnswer,
    EvaluationComparison,
)
from contracts.operations import evaluations as operations
from groundwork.client.connection import Connection
from groundwork.client.improvement.polling import wait_for_end

COMPARE_SECONDS = 300.0


class Evaluations:
    """Question sets asked of models, `rag:`, `agent:` and `prompt:`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(
        self,
        question_set: str,
        model: str,
        *,
        version: int | None = None,
        split: str | None = None,
        groundwork: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        measures: Sequence[str] | None = None,
        judge: str | None = None,
        rubric: str | None = None,
        budget_usd: str | None = None,
        name: str = "",
    ) -> Evaluation:
        """Queue one; `wait` for its figures. `judge`: a model that says whether each answer is right, by `rubric`."""
        target = {"model": model, "parameters": dict(parameters or {})}
        if groundwork:
            target["groundwork"] = dict(groundwork)
        body = {
            "question_set": question_set,
            "version": version,
            "split": split,
            "target": target,
            "measures": None if measures is None else list(measures),
            "judge": None if judge is None else {"model": judge, **({} if rubric is None else {"rubric": rubric})},
            "budget_usd": budget_usd,
            "name": name,
        }
        given = {field: value for field, value in body.items() if value is not None}
        return self._connection.model(operations.CREATE_EVALUATION, json=given)

    def get(self, evaluation_id: str) -> Evaluation:
        """One, with its progress and, once it has ended, its figures."""
        return self._connection.model(operations.GET_EVALUATION, evaluation_id)

    def wait(self, evaluation_id: str, *, timeout: float = 3600.0) -> Evaluation:
        """One that has ended, however; raises `WaitTimeout`."""
        return wait_for_end(
            lambda: self.get(evaluation_id),
            FINAL_EVALUATION_STATUSES,
            timeout,
            f"The evaluation '{evaluation_id}'",
            lambda found: f"{found.done} of {found.questions} questions",
        )

    def list(self, *, question_set: str | None = None, status: str | None = None) -> Iterator[Evaluation]:
        """All, newest first."""
        params = {"question_set": question_set, "status": status}
        return self._connection.pages(operations.LIST_EVALUATIONS, params=params)

    def answers(
        self, evaluation_id: str, *, measure: str | None = None, other_id: str | None = None
    ) -> Iterator[EvaluationAnswer]:
        """What was answered to each question; by a measure, the worst first. Beside the answers of another evaluation,
        only those of questions that both asked; with a measure, only where this one is worse, by the most first."""
        params = {"measure": measure, "with": other_id}
        return self._connection.pages(operations.LIST_EVALUATION_ANSWERS, evaluation_id, params=params)

    def compare(self, evaluation_id: str, other_id: str) -> EvaluationComparison:
        """Whether the first is better than the second, measure by measure."""
        params = {"with": other_id}
        return self._connection.model(
            operations.COMPARE_EVALUATIONS, evaluation_id, params=params, timeout=COMPARE_SECONDS
        )

    def cancel(self, evaluation_id: str) -> Evaluation:
        """End one; what was answered stays."""
        return self._connection.model(operations.CANCEL_EVALUATION, evaluation_id)

    def delete(self, evaluation_id: str) -> None:
        """One that has ended, with its answers."""
        self._connection.call(operations.DELETE_EVALUATION, evaluation_id)
