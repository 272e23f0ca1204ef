"""What people say of answers: `client.feedback`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import IO, Any

from contracts.improvement.feedback import (
    BlindComparison,
    ComparedBy,
    ExportFormat,
    ExportSplit,
    Feedback,
    FeedbackCreate,
)
from contracts.operations import feedback as operations
from groundwork.client.connection import Connection

EXPORT_SECONDS = 300.0
"""Longest silence of an export: the first looks for all answers that were not on record before."""


class FeedbackCalls:
    """Give, list, delete and export what people say of answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def give(self, said: FeedbackCreate) -> Feedback:
        """Say what an answer was worth, in place of what the same person said before."""
        return self._connection.model(operations.GIVE_FEEDBACK, json=said.model_dump(mode="json", exclude_unset=True))

    def list(self, **asked: Any) -> Iterator[Feedback]:
        """The newest first; `answer_id`, `user`, `rating`, `label`, `model`, `collection` and `mine` narrow it."""
        return self._connection.pages(operations.LIST_FEEDBACK, params=asked)

    def comparisons(
        self,
        model: str | None = None,
        other: str | None = None,
        *,
        by: ComparedBy = "target",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[BlindComparison]:
        """Which of two targets people chose blind, those most compared first; `by="version"` tells apart the versions
        that answered by one name."""
        params = {
            "model": model,
            "other": other,
            "by": by,
            "from": since.isoformat() if since else None,
            "to": until.isoformat() if until else None,
        }
        return self._connection.model(operations.LIST_COMPARISONS, params=params).data

    def delete(self, feedback_id: str) -> None:
        """Take one back."""
        self._connection.call(operations.DELETE_ONE_FEEDBACK, feedback_id)

    def export(
        self, kind: ExportFormat, into: IO[bytes], *, split: ExportSplit | None = None, test_percent: int = 10
    ) -> None:
        """Write JSON lines to `into` as they come."""
        params = {"format": kind, "test_percent": test_percent, **({"split": split} if split else {})}
        self._connection.download(operations.EXPORT_FEEDBACK, into=into, timeout=EXPORT_SECONDS, params=params)
