from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from services.gateway.tests.usage.recording import DAY_ONE, record_of, write_records

from contracts.access.keys import UsageGroup, UsageRow
from gateway.usage.report import BadPeriod, UsageQuestion, period, usage_report
from servicekit.sql.database import Database


async def _report(
    database: Database, group_by: UsageGroup, tenant: str | None = None, key_id: str | None = None
) -> dict[str, UsageRow]:
    question = UsageQuestion(group_by, DAY_ONE - timedelta(days=1), DAY_ONE + timedelta(days=9), tenant, key_id)
    return {row.group: row for row in await usage_report(database, question)}


async def test_usage_adds_up_by_key_tenant_model_and_day(database: Database) -> None:
    await write_records(
        database,
        record_of(),
        record_of(key_id="k2", model="n", cost_nano_usd=None, started_at=DAY_ONE + timedelta(minutes=2)),
        record_of(tenant="other", key_id="k3", status=502, error_type="upstream_error", cost_nano_usd=7),
        record_of(cache="hit", embedding_tokens=3),
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
    outer = record_of(model="rag:hb", prompt_tokens=0, completion_tokens=0, embedding_tokens=9, cost_nano_usd=1)
    inner = [record_of(parent_id=outer.id, cost_nano_usd=50) for _ in range(2)]
    await write_records(database, outer, *inner)
    row = (await _report(database, "tenant"))["acme"]
    assert (row.requests, row.prompt_tokens, row.embedding_tokens) == (1, 20, 9)
    assert row.cost_usd == Decimal("0.000000101")
    by_model = await _report(database, "model")
    assert {model: row.requests for model, row in by_model.items()} == {"m": 2, "rag:hb": 1}


async def test_an_answer_with_all_calls_inside_it_is_of_the_collections_that_it_came_from(database: Database) -> None:
    one, both = record_of(model="rag:hb", cost_nano_usd=1), record_of(model="rag:hb,notes", cost_nano_usd=2)
    inner = [record_of(parent_id=outer.id, cost_nano_usd=50) for outer in (one, one, both)]
    search = record_of(model="embeddings", cost_nano_usd=7)
    run = record_of(model="agent:desk", cost_nano_usd=0)
    await write_records(database, one, both, *inner, search, run, record_of(parent_id=run.id, cost_nano_usd=3))
    by_collection = await _report(database, "collection")
    assert {name: (row.requests, row.cost_usd) for name, row in by_collection.items()} == {
        "hb": (1, Decimal("0.000000101")),
        "hb,notes": (1, Decimal("0.000000052")),
        "": (2, Decimal("0.00000001")),
    }
    assert set(await _report(database, "collection", "other")) == set()


async def test_collections_are_the_same_in_any_order(database: Database) -> None:
    known, other = record_of(model="rag:notes,hb", cost_nano_usd=2), record_of(model="rag:hb,notes", cost_nano_usd=3)
    unknown = record_of(model="rag:notes,hb", cost_nano_usd=None)
    await write_records(database, known, other, unknown, record_of(model="rag:b", cost_nano_usd=None))
    by_collection = await _report(database, "collection")
    assert list(by_collection) == ["b", "hb,notes"]
    both = by_collection["hb,notes"]
    assert (both.requests, both.cost_usd, both.unpriced_requests) == (3, Decimal("0.000000005"), 1)
    assert by_collection["b"].cost_usd is None


async def test_a_call_that_names_another_tenants_as_its_own_is_not_of_its_collections(database: Database) -> None:
    theirs = record_of(tenant="other", model="rag:secret")
    await write_records(database, theirs, record_of(parent_id=theirs.id))
    assert set(await _report(database, "collection", "acme")) == {""}


async def test_the_calls_of_one_key_are_counted_alone(database: Database) -> None:
    await write_records(database, record_of(model="rag:hb"), record_of(model="rag:secret", key_id="k2"))
    assert set(await _report(database, "collection", "acme", "k1")) == {"hb"}
    assert set(await _report(database, "model", "acme", "k1")) == {"rag:hb"}


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
