"""The rows of the usage ledger, before they are written."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

DAY_SECONDS = 86_400
REPLICA_LOST = "replica_lost"
"""`error_type` of an attempt whose replica died: billed as estimated, until it comes back and knows better."""


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One attempt as the ledger keeps it."""

    id: str
    parent_id: str | None
    request_id: str
    key_id: str
    tenant: str
    route: str
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    cost_nano_usd: int | None
    status: int
    error_type: str | None
    streamed: bool
    started_at: datetime
    ms: int
    estimated: bool = False
    attempt: int = 1
    cache: str = "bypass"
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def row(self) -> dict[str, Any]:
        """As the table has it."""
        row = {
            name: getattr(self, name) for name in _USAGE_FIELDS
        }  # asdict copies all the way down, in ten times the time
        row["day"] = int(self.started_at.timestamp() // DAY_SECONDS)
        return row


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """What an attempt may use at most: the fields of its usage row that are known before."""

    id: str
    parent_id: str | None
    request_id: str
    key_id: str
    tenant: str
    route: str
    model: str | None
    attempt: int
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    cost_nano_usd: int | None
    started_at: datetime

    def row(self) -> dict[str, Any]:
        """As the table has it, but for its owner and its lease."""
        return {name: getattr(self, name) for name in _HOLD_FIELDS}


_USAGE_FIELDS = tuple(field.name for field in fields(UsageRecord))
_HOLD_FIELDS = tuple(field.name for field in fields(HoldRecord))
