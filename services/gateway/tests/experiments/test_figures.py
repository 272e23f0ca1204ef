from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.gateway.tests.usage.recording import DAY_ONE, record_of, write_records
from sqlalchemy import literal, select, union_all

from gateway.experiments.figures import Window, variant_sums
from gateway.usage.records import UsageRecord
from servicekit.sql.database import Database

WINDOW = Window("smart", 2, DAY_ONE)


def _call(variant: str, unit: str | None, **changes: Any) -> UsageRecord:
    split = {"split": "smart", "split_version": 2, "variant": variant, "unit": unit, "failed": False}
    return record_of(**{**split, **changes})


async def test_calls_are_summed_by_variant_and_by_who_made_them(database: Database) -> None:
    await write_records(
        database,
        _call("old", "u1", ms=100, grounded=True, abstained=False),
        _call("old", "u1", ms=300, grounded=False, abstained=False),
        _call("old", "u2", ms=200, abstained=True),
        _call("new", "u3", ms=900, failed=True, status=502, error_type="upstream_error"),
    )
    found = await variant_sums(database, WINDOW)
    old, new = found["old"], found["new"]
    assert (old.calls, old.units, new.calls, new.units) == (3, 2, 1, 1)
    assert (old.of("latency_ms").mean, old.of("latency_ms").units) == (200, 2)
    assert (old.of("support").mean, old.of("support").units) == (0.5, 1)
    assert old.of("abstention").mean == 1 / 3
    assert (old.of("error_rate").mean, new.of("error_rate").mean) == (0, 1)
    assert new.of("latency_ms").mean is None
    latency = old.of("latency_ms")
    assert (latency.y, latency.yy, latency.yn, latency.nn) == (600, 400**2 + 200**2, 400 * 2 + 200, 5)


async def test_only_calls_of_this_version_since_it_answers_count_and_no_inner_ones(database: Database) -> None:
    await write_records(
        database,
        _call("old", "u1"),
        _call("old", "u1", split_version=1),
        _call("old", "u1", split="other"),
        _call("old", "u1", started_at=DAY_ONE - timedelta(seconds=1)),
        _call("old", "u1", started_at=DAY_ONE + timedelta(hours=1)),
        record_of(),
    )
    assert (await variant_sums(database, WINDOW))["old"].calls == 2
    until = Window("smart", 2, DAY_ONE, DAY_ONE + timedelta(minutes=1))
    assert (await variant_sums(database, until))["old"].calls == 1


async def test_a_call_costs_what_its_attempts_and_the_calls_inside_it_do(database: Database) -> None:
    await write_records(
        database,
        _call("old", "u1", id="call_a.2", attempt=2, cost_nano_usd=1_000),
        record_of(id="call_a", parent_id="call_a", cost_nano_usd=200),
        record_of(id="call_b", parent_id="call_a", cost_nano_usd=30),
        record_of(id="call_c", parent_id="call_a", cost_nano_usd=4, tenant="other"),
        _call("old", "u2", cost_nano_usd=0, cache="hit"),
        _call("new", "u3", id="call_d"),
        record_of(id="call_e", parent_id="call_d", cost_nano_usd=None),
    )
    found = await variant_sums(database, WINDOW)
    cost = found["old"].of("cost_usd")
    assert (cost.n, round(cost.y * 1e9)) == (1, 1_230)
    assert found["new"].of("cost_usd").n == 0


async def test_the_ratings_of_a_tenants_answers_count_for_their_variants(database: Database) -> None:
    await write_records(
        database,
        _call("old", "u1", answer_id="a1"),
        _call("old", "u2", answer_id="a2"),
        _call("new", "u3", answer_id="a3", tenant="other"),
    )
    said = [("acme", "a1", 0.75), ("acme", "a3", 1.0), ("other", "a1", 0.0)]
    rows = [
        select(literal(tenant).label("tenant"), literal(answer).label("answer_id"), literal(rating).label("rating"))
        for tenant, answer, rating in said
    ]
    found = await variant_sums(database, WINDOW, union_all(*rows).subquery())
    assert (found["old"].of("rating").n, found["old"].of("rating").y) == (1, 0.75)
    assert found["new"].of("rating").n == 0
    assert (await variant_sums(database, WINDOW))["old"].of("rating").n == 0


async def test_a_deleted_tenants_calls_go_on_counting_each_for_itself(database: Database) -> None:
    await write_records(database, *(_call("old", None) for _ in range(2)))
    assert (await variant_sums(database, WINDOW))["old"].units == 2
