"""Records of answers: `client.records` (scopes `records:read`, `records:write`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from contracts.access.records import AnswerRecord, RecordSummary
from contracts.operations import records as operations
from groundwork.client.connection import Connection


class Records:
    """Answers that were kept, of the key's own tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        collection: str | None = None,
        model: str | None = None,
        user: str | None = None,
        rating: Literal["up", "down", "none"] | None = None,
        abstained: bool | None = None,
        error: bool | None = None,
        q: str | None = None,
    ) -> Iterator[RecordSummary]:
        """Those that fit all that is given, the newest first."""
        params = {
            "from": since.isoformat() if since else None,
            "to": until.isoformat() if until else None,
            "collection": collection,
            "model": model,
            "user": user,
            "rating": rating,
            "abstained": _word(abstained),
            "error": _word(error),
            "q": q,
        }
        return self._connection.pages(operations.LIST_RECORDS, params=params)

    def get(self, record_id: str) -> AnswerRecord:
        """One, by the id of its answer."""
        return self._connection.model(operations.GET_RECORD, record_id)

    def delete(self, record_id: str) -> None:
        """Remove one for ever."""
        self._connection.call(operations.DELETE_RECORD, record_id)

    def delete_of_user(self, user: str) -> int:
        """Remove all of one user for ever; how many there were."""
        return self._connection.model(operations.DELETE_RECORDS, params={"user": user}).deleted


def _word(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()
