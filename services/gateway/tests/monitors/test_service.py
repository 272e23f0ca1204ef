from __future__ import annotations

from datetime import timedelta

import pytest
from services.gateway.tests.monitors.answers import record_answers, told

from contracts.improvement.monitors import MonitorCreate
from gateway.metrics import MONITORS_FALLEN
from gateway.monitors.errors import MonitorExists, MonitorNotFound, NotMonitored, TooManyMonitors
from gateway.monitors.figures import Scope, Windows
from gateway.monitors.repository import MOST, delete_tenant
from gateway.monitors.service import Monitors
from gateway.storage.audit_log import Actor, list_audit_entries
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

ACME, ACTOR = Scope("acme"), Actor("key_1")
SPEC = MonitorCreate(name="handbook", metrics={"support": None, "error_rate": 0.05})


@pytest.fixture
def monitors(database: Database, clock: ManualClock) -> Monitors:
    return Monitors(database, clock)


async def _answers(monitors: Monitors, name: str, days_ago: int, good: int, bad: int) -> None:
    at = Windows.at(monitors.clock.now(), SPEC).start - timedelta(days=days_ago)
    await record_answers(monitors.database, at, good, f"good{name}", report=told())
    await record_answers(monitors.database, at, bad, f"bad{name}", report=told(grounded=False))


async def test_a_fall_is_told_once_by_figures_metric_audit_log_and_its_worst_records(
    monitors: Monitors, clock: ManualClock
) -> None:
    await monitors.create_monitor(ACME, SPEC, ACTOR)
    await _answers(monitors, "before", 1, 95, 5)
    await _answers(monitors, "now", 0, 40, 40)
    for _ in range(2):
        await monitors.look()
    found = await monitors.get_monitor(ACME, "handbook")
    assert {metric: figure.state for metric, figure in found.figures.items()} == {
        "support": "fallen",
        "error_rate": "steady",
    }
    assert [(one.metric, one.value, one.expected) for one in found.falls] == [("support", 0.5, 0.95)]
    assert MONITORS_FALLEN.labels("support")._value.get() == 1
    worst = await monitors.list_worst(ACME, "handbook", "support", 100)
    assert {one.record for one in worst} == {f"chatcmpl_badnow{number}" for number in range(40)}
    clock.advance(2 * 86_400)
    await monitors.look()
    assert (await monitors.get_monitor(ACME, "handbook")).falls == []
    assert MONITORS_FALLEN.labels("support")._value.get() == 0
    noted = (await list_audit_entries(monitors.database, 10, None, "handbook")).data
    assert [one.action for one in noted] == ["monitor.over", "monitor.fall", "monitor.create"]
    assert (noted[1].detail["tenant"], noted[1].detail["metric"]) == ("acme", "support")


async def test_a_limited_key_and_another_tenant_see_none_of_it(monitors: Monitors) -> None:
    await monitors.create_monitor(ACME, SPEC, ACTOR)
    own = Scope("acme", "key_2")
    for scope in (own, Scope("other")):
        assert await monitors.list_monitors(scope) == []
        with pytest.raises(MonitorNotFound):
            await monitors.get_monitor(scope, "handbook")
        with pytest.raises(MonitorNotFound):
            await monitors.delete_monitor(scope, "handbook", ACTOR)
        with pytest.raises(MonitorNotFound):
            await monitors.list_worst(scope, "handbook", "support", 1)
    with pytest.raises(MonitorExists):
        await monitors.create_monitor(own, SPEC, Actor("key_2"))
    with pytest.raises(MonitorNotFound):  # made before it was limited
        await monitors.get_monitor(Scope("acme", ACTOR.key_id), "handbook")
    narrow = SPEC.model_copy(update={"name": "mine"})
    await monitors.create_monitor(own, narrow, Actor("key_2"))
    await record_answers(monitors.database, monitors.clock.now(), 5, "theirs")
    assert (await monitors.get_monitor(own, "mine")).figures["error_rate"].answers == 0
    assert [one.name for one in await monitors.list_monitors(ACME)] == ["handbook", "mine"]


async def test_a_late_look_writes_nothing_to_a_monitor_that_was_made_anew(
    monitors: Monitors, clock: ManualClock
) -> None:
    await monitors.create_monitor(ACME, SPEC, ACTOR)
    old = await monitors.repository.get_monitor(ACME, "handbook")
    await monitors.delete_monitor(ACME, "handbook", ACTOR)
    clock.advance(1)
    await monitors.create_monitor(ACME, SPEC, ACTOR)
    assert not await monitors.repository.update_falls(old, [])


async def test_there_are_so_many_at_most_and_a_deleted_tenants_are_gone(monitors: Monitors) -> None:
    for number in range(MOST):
        await monitors.create_monitor(ACME, SPEC.model_copy(update={"name": f"m{number}"}), ACTOR)
    with pytest.raises(TooManyMonitors):
        await monitors.create_monitor(ACME, SPEC, ACTOR)
    await monitors.create_monitor(Scope("other"), SPEC, ACTOR)
    await monitors.delete_monitor(ACME, "m0", ACTOR)
    await monitors.create_monitor(ACME, SPEC, ACTOR)
    with pytest.raises(NotMonitored, match="support, error_rate"):
        await monitors.list_worst(ACME, "handbook", "rating", 1)
    async with monitors.database.write() as connection:
        await delete_tenant(connection, "acme")
    assert [one.scope.tenant for one in await monitors.repository.list_monitors()] == ["other"]
