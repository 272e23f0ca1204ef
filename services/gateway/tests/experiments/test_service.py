from __future__ import annotations

from typing import Any

import pytest
from services.gateway.tests.installation import ACTOR, Installation
from services.gateway.tests.usage.recording import record_of, write_records

from contracts.models.routes import RouteSpec
from gateway.experiments.errors import RouteNeverSplit
from gateway.experiments.service import Experiments
from gateway.routing.repository import READ_SECONDS, RouteRepository
from gateway.storage.audit_log import list_audit_entries
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

GUARDED = {"targets": [{"model": "m"}, {"model": "o"}], "split_by": "call", "guard": {"metric": "error_rate"}}


@pytest.fixture
def experiments(database: Database, clock: ManualClock) -> Experiments:
    return Experiments(database, RouteRepository(database, clock), clock)


async def _put(experiments: Experiments, spec: dict[str, Any]) -> None:
    await experiments.routes.update_route("smart", RouteSpec.model_validate(spec), ACTOR)


async def _calls(experiments: Experiments, variant: str, failures: int, calls: int, version: int = 1) -> None:
    now = experiments.clock.now()
    split = {"split": "smart", "split_version": version, "variant": variant, "started_at": now}
    records = [record_of(**split, unit=f"{variant}{at}", failed=at < failures) for at in range(calls)]
    await write_records(experiments.database, *records)


async def test_variants_are_shown_with_intervals_and_compared_with_the_first(experiments: Experiments) -> None:
    await _put(experiments, GUARDED)
    await _calls(experiments, "m", 2, 60)
    await _calls(experiments, "o", 30, 60)
    shown = await experiments.get_experiment("smart", None)
    first, second = shown.variants
    assert (first.is_baseline, first.calls, second.calls, shown.active) == (True, 60, 60, True)
    errors = second.measures["error_rate"]
    assert errors.value == 0.5
    assert first.measures["error_rate"].p is None
    assert errors.p is not None
    assert errors.p < 0.002
    assert errors.low is not None
    assert errors.low < 0.5
    assert errors.difference is not None
    assert 0.46 < errors.difference < 0.47
    assert second.measures["rating"].value is None


async def test_a_guard_ends_a_variant_that_is_worse_once_and_says_so(
    experiments: Experiments, clock: ManualClock
) -> None:
    await _put(experiments, GUARDED)
    await _calls(experiments, "m", 2, 60)
    await _calls(experiments, "o", 30, 60)
    other = Experiments(experiments.database, RouteRepository(experiments.database, clock), clock)
    for replica in (experiments, other):
        await replica.look()
    clock.advance(READ_SECONDS)
    active = (await experiments.routes.list_routes())["smart"]
    assert [(target.model, target.weight) for target in active.targets] == [("m", 1), ("o", 0)]
    assert active.version == 2
    noted = (await list_audit_entries(experiments.database, 1, None, "smart")).data[0]
    assert (noted.action, noted.detail["variant"], noted.detail["metric"]) == ("route.guard", "o", "error_rate")
    shown = await experiments.get_experiment("smart", None)
    assert shown.ended_by is not None
    assert (shown.version, shown.active, shown.ended_by.variant) == (1, False, "o")


async def test_a_split_that_was_ended_is_taken_up_again_with_figures_of_its_own(
    experiments: Experiments, clock: ManualClock
) -> None:
    await _put(experiments, GUARDED)
    await _calls(experiments, "m", 2, 60)
    await _calls(experiments, "o", 30, 60)
    await experiments.look()
    clock.advance(READ_SECONDS)
    await experiments.routes.activate_version("smart", 1, ACTOR)
    await experiments.look()
    shown = await experiments.get_experiment("smart", None)
    assert (shown.active, shown.ended_by, [one.calls for one in shown.variants]) == (True, None, [0, 0])


@pytest.mark.parametrize(("first", "second"), [(2, 3), (30, 2)], ids=["alike", "better"])
async def test_a_guard_ends_nothing_that_is_not_worse(experiments: Experiments, first: int, second: int) -> None:
    await _put(experiments, GUARDED)
    await _calls(experiments, "m", first, 60)
    await _calls(experiments, "o", second, 60)
    await experiments.look()
    assert (await experiments.routes.list_versions("smart", 10, None)).data[0].version == 1


async def test_of_three_variants_the_worse_one_goes_and_the_others_go_on(
    experiments: Experiments, clock: ManualClock
) -> None:
    await _put(experiments, {**GUARDED, "targets": [{"model": "m"}, {"model": "o"}, {"model": "n"}]})
    for variant, failures in (("m", 2), ("o", 3), ("n", 30)):
        await _calls(experiments, variant, failures, 60)
    await experiments.look()
    clock.advance(READ_SECONDS)
    active = (await experiments.routes.list_routes())["smart"]
    assert ([target.weight for target in active.targets], active.guard is not None) == ([1, 1, 0], True)


async def test_a_route_that_was_never_split_has_no_experiment(experiments: Experiments) -> None:
    await _put(experiments, {"targets": [{"model": "m"}]})
    with pytest.raises(RouteNeverSplit):
        await experiments.get_experiment("smart", None)


async def test_an_experiment_is_an_admins(installation: Installation, admin: Any) -> None:
    installation.offer()
    await installation.deps.routes.update_route("team/smart", RouteSpec.model_validate(GUARDED), ACTOR)
    shown = await admin.get("/v1/experiments/team/smart")
    assert (shown.status_code, [one["name"] for one in shown.json()["variants"]]) == (200, ["m", "o"])
    for path, code in (("none", "route_not_found"), ("team/smart?version=7", "route_version_not_found")):
        missing = await admin.get(f"/v1/experiments/{path}")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, code)
    admin.headers["Authorization"] = f"Bearer {await installation.secret()}"
    assert (await admin.get("/v1/experiments/team/smart")).status_code == 403
