from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError

from contracts.chat import ChatRequest, Message
from contracts.keys import KeyCreate, UsageGroup, UsageRow
from contracts.models import ModelInfo, ModelPrice
from gateway.auth.key_repository import KeyRepository
from gateway.limits.max_usage import AssumedTokens, chat_max_usage
from gateway.models.cost import MOST_TOKENS
from gateway.storage.audit_log import Actor
from gateway.storage.tables import usage
from gateway.usage.ledger import UsageLedger
from gateway.usage.records import UsageRecord, count
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


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(usage))).scalar_one())


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


async def test_closing_writes_everything_that_was_queued(database: Database) -> None:
    await _written(database, *(_record() for _ in range(1500)))
    assert await _count(database) == 1500


async def test_a_full_queue_makes_calls_wait_and_loses_nothing(database: Database) -> None:
    ledger = UsageLedger(database, 2)
    waiting = [asyncio.create_task(ledger.record(_record())) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sum(task.done() for task in waiting) == 2
    waiting[5].cancel()  # its call was cut off; its row must still come
    ledger.open()
    await asyncio.gather(*waiting, return_exceptions=True)
    await ledger.close()
    assert await _count(database) == 10


async def test_a_row_is_written_once_even_if_its_group_is_written_twice(database: Database) -> None:
    record = _record()
    await _written(database, record)
    await _written(database, record, _record())
    assert await _count(database) == 2


async def test_a_database_that_fails_for_a_while_loses_no_row(database: Database) -> None:
    failures = iter([True, True])

    def fail(*_: Any) -> None:
        if next(failures, False):
            raise OperationalError("insert", {}, Exception("database is locked"))

    event.listen(database._store._writing, "before_cursor_execute", fail)
    await _written(database, _record(), _record())
    assert await _count(database) == 2


async def test_a_row_that_no_database_takes_holds_up_no_other(database: Database) -> None:
    await _written(database, _record(), _record(prompt_tokens=2**70), _record())
    assert await _count(database) == 2
    assert count({"prompt_tokens": 2**70}, "prompt_tokens") == 0  # and no upstream makes one


ASSUMED = AssumedTokens(answer=512, picture=2000)


@pytest.mark.parametrize("address", ["https://example.com/a.png", "data:image/png;base64," + "A" * 600_000])
def test_a_picture_is_reckoned_as_tokens_whatever_its_address_is_long(address: str) -> None:
    model = ModelInfo(id="m", kind="chat", price=ModelPrice(prompt_usd_per_million=Decimal(1000)))
    parts = [{"type": "text", "text": "What is it?"}, *[{"type": "image_url", "image_url": {"url": address}}] * 3]
    asked = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": parts}]})
    size = 300 + 3 * len(address)
    max_usage = chat_max_usage(model, asked, size, ASSUMED)
    assert max_usage.prompt_tokens == 3 * 2000 + 100
    assert (
        max_usage.cost == max_usage.prompt_tokens * 1_000_000
    )  # 6.1 USD: a budget of 0.50 lets none of many at once in


def test_an_absurd_wish_is_reserved_with_numbers_that_a_ledger_takes() -> None:
    model = ModelInfo(
        id="m", kind="chat", price=ModelPrice(prompt_usd_per_million=Decimal(1), completion_usd_per_million=Decimal(9))
    )
    asked = ChatRequest(model="m", messages=[Message(role="user", content="Hi")], max_tokens=2**63 - 1, n=16)
    max_usage = chat_max_usage(model, asked, 100, ASSUMED)
    assert max_usage.completion_tokens == MOST_TOKENS * 16
    assert max_usage.cost is not None
    assert max_usage.cost < 2**63


def test_blanks_in_a_body_reserve_nothing_of_what_its_answer_may_cost() -> None:
    price = ModelPrice(prompt_usd_per_million=Decimal(1), completion_usd_per_million=Decimal(9))
    model = ModelInfo(id="m", kind="chat", price=price, context_length=8000)
    asked = ChatRequest(model="m", messages=[Message(role="user", content="Hi")], max_tokens=5000)
    plain, padded = (chat_max_usage(model, asked, size, ASSUMED) for size in (100, 10**7))
    assert (plain.completion_tokens, padded.completion_tokens) == (5000, 5000)
    assert padded.tokens == model.context_length
    assert plain.cost is not None
    assert padded.cost is not None
    assert plain.cost <= padded.cost


async def test_a_keys_last_use_is_kept(database: Database, keys: KeyRepository) -> None:
    created = await keys.create_key(KeyCreate(name="k", tenant="acme", scopes=["chat"]), Actor("a"))
    await _written(database, _record(key_id=created.id), _record(key_id=created.id, started_at=DAY_ONE + timedelta(1)))
    assert (await keys.get_key(created.id)).last_used_at == DAY_ONE + timedelta(1)


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
