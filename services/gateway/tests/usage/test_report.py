from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.access.keys import UsageGroup, UsageRow
from gateway.usage.ledger import UsageLedger
from gateway.usage.records import UsageRecord
from gateway.usage.report import BadPeriod, UsageQuestion, period, usage_report
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database

DAY_ONE = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


def _record(**changes: Any) -> UsageRecord:
    standard: dict[str, Any] = {
        "id": new_id("call"), "parent_id": None, "request_id": "req_1", "key_id": "k1", "tenant": "acme",
        "route": "chat", "model": "m", "prompt_tokens": 10, "completion_tokens": 5, "embedding_tokens": 0,
        "cost_nano_usd": 100, "status": 200, "error_type": None, "streamed": False, "started_at": DAY_ONE, "ms": 12,
    }  # fmt: skip
    return UsageRecord(**{**standard, **changes})


async def _written(database: Database, *records: UsageRecord) -> None:
    ledger = UsageLedger(database, 100)
    ledger.open()
    for record in records:
        await ledger.record(record)
    await ledger.close()


async def _report(database: Database, group_by: UsageGroup, tenant: str | None = None) -> dict[str, UsageRow]:
    question = UsageQuestion(group_by, DAY_ONE - timedelta(days=1), DAY_ONE + timedelta(days=9), tenant)
    return {row.group: row for row in await usage_report(database, question)}


async def test_usage_adds_up_by_key_tenant_model_and_day(database: Database) -> None:
    await _written(
        database,
        _record(),
        _record(key_id="k2", model="n", cost_nano_usd=None, started_at=DAY_ONE + timedelta(minutes=2)),
        _record(tenant="other", key_id="k3", status=502, error_type="upstream_error", cost_nano_usd=7),
        _record(cache="hit", embedding_tokens=3),
    )
    by_key = await _report(database, "key")
    assert by_key["k1"].requests == 2
    assert (by_key["k1"].cost_usd, by_key["k1"].cache_hits) == (Decimal("0.0000002"), 1)
    assert (by_key["k2"].cost_usd, by_key["k2"].unpriced_requests) == (None, 1)
    assert by_key["k3"].errors == 1
    by_tenant = await _report(database, "tenant")
    assert (by_tenant["acme"].requests, by_tenant["acme"].prompt_tokens) == (3, 30)
    assert set(await _report(database, "key", "other")) == {"k3"}
    by_day = await _report(database, "day")
    assert {day: row.requests for day, row in by_day.items()} == {"2026-03-01": 3, "2026-03-02": 1}
    by_model = await _report(database, "model")
    assert {model: row.requests for model, row in by_model.items()} == {"m": 3, "n": 1}


async def test_the_model_calls_inside_an_answer_add_tokens_but_no_requests(database: Database) -> None:
    outer = _record(model="rag:hb", prompt_tokens=0, completion_tokens=0, embedding_tokens=9, cost_nano_usd=1)
    inner = [_record(parent_id=outer.id, cost_nano_usd=50) for _ in range(2)]
    await _written(database, outer, *inner)
    row = (await _report(database, "tenant"))["acme"]
    assert (row.requests, row.prompt_tokens, row.embedding_tokens) == (1, 20, 9)
    assert row.cost_usd == Decimal("0.000000101")
    by_model = await _report(database, "model")
    assert {model: row.requests for model, row in by_model.items()} == {"m": 2, "rag:hb": 1}


def test_the_period_is_thirty_days_by_default_and_never_backwards() -> None:
    assert period(None, None, DAY_ONE) == (DAY_ONE - timedelta(days=30), DAY_ONE)
    naive = datetime(2026, 2, 1)  # noqa: DTZ001  # what a bare date in a query becomes
    assert period(naive, None, DAY_ONE)[0] == naive.replace(tzinfo=UTC)
    with pytest.raises(BadPeriod):
        period(DAY_ONE, DAY_ONE, DAY_ONE)


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59"])
def test_a_period_beyond_the_calendar_is_refused(end: str) -> None:
    with pytest.raises(BadPeriod):
        period(None, datetime.fromisoformat(end), DAY_ONE)
