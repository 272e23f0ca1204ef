"""Rows of the usage ledger, as tests write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.usage.ledger import UsageLedger
from gateway.usage.records import UsageRecord
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database

DAY_ONE = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


def record_of(**changes: Any) -> UsageRecord:
    standard: dict[str, Any] = {
        "id": new_id("call"), "parent_id": None, "request_id": "req_1", "key_id": "k1", "tenant": "acme",
        "route": "chat", "model": "m", "prompt_tokens": 10, "completion_tokens": 5, "embedding_tokens": 0,
        "cost_nano_usd": 100, "status": 200, "error_type": None, "streamed": False, "started_at": DAY_ONE, "ms": 12,
    }  # fmt: skip
    return UsageRecord(**{**standard, **changes})


async def write_records(database: Database, *records: UsageRecord) -> None:
    ledger = UsageLedger(database, 100)
    ledger.open()
    for record in records:
        await ledger.record(record)
    await ledger.close()
