"""Questions made from documents: `client.question_generation` (scopes `evaluations:read`, `evaluations:write`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.improvement.question_generation import (
    FINAL_GENERATION_STATUSES,
    MOST_DECISIONS,
    GeneratedQuestion,
    Generation,
)
from contracts.improvement.question_sets import QuestionSet
from contracts.operations import question_sets as operations
from groundwork.client.connection import Connection
from groundwork.client.improvement.polling import wait_for_end

SAVE_SECONDS = 300.0


class QuestionGeneration:
    """Runs that make questions for a set, and their review."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self, name: str, collection: str, **wanted: Any) -> Generation:
        """Queue a run: `count`, `near_misses`, `model`, `within`, `seed`, `split`, `labels`, `budget_usd`, `accept`."""
        given = {field: value for field, value in wanted.items() if value is not None}
        return self._connection.model(operations.GENERATE_QUESTIONS, name, json={"collection": collection, **given})

    def get(self, name: str, run: str) -> Generation:
        """One, with its progress."""
        return self._connection.model(operations.GET_GENERATION, name, run)

    def list(self, name: str) -> Iterator[Generation]:
        """Those of a set, newest first."""
        return self._connection.pages(operations.LIST_GENERATIONS, name)

    def wait(self, name: str, run: str, *, timeout: float = 3600.0) -> Generation:
        """One that has ended, however; raises `WaitTimeout`."""
        return wait_for_end(
            lambda: self.get(name, run),
            FINAL_GENERATION_STATUSES,
            timeout,
            f"The run '{run}'",
            lambda found: f"{found.kept} of {found.count} questions",
        )

    def items(self, name: str, run: str, *, state: str | None = None) -> Iterator[GeneratedQuestion]:
        """What a run has made, and what came to nothing."""
        return self._connection.pages(operations.LIST_GENERATED_QUESTIONS, name, run, params={"state": state})

    def review(
        self, name: str, run: str, decisions: Sequence[Mapping[str, Any]], *, accept_all: bool = False
    ) -> Generation:
        """Accept, correct or reject; `accept_all` what is still proposed afterwards. Of more than 200 decisions those
        before one that is refused are taken."""
        starts = range(0, max(len(decisions), 1), MOST_DECISIONS)
        reviewed: Generation | None = None
        for at in starts:
            some = [dict(one) for one in decisions[at : at + MOST_DECISIONS]]
            body = {"decisions": some, "accept_all": accept_all and at == starts[-1]}
            reviewed = self._connection.model(operations.REVIEW_GENERATED_QUESTIONS, name, run, json=body)
        assert reviewed is not None
        return reviewed

    def save(self, name: str, run: str) -> QuestionSet:
        """The version of the set with what was accepted."""
        return self._connection.model(operations.SAVE_GENERATED_QUESTIONS, name, run, timeout=SAVE_SECONDS)

    def cancel(self, name: str, run: str) -> Generation:
        """End one; what was made stays."""
        return self._connection.model(operations.CANCEL_GENERATION, name, run)

    def delete(self, name: str, run: str) -> None:
        """One that has ended, with what is in no version."""
        self._connection.call(operations.DELETE_GENERATION, name, run)
