from __future__ import annotations

import asyncio

import pytest

from contracts.models.routes import RouteSpec
from gateway.routing.errors import RouteNotFound, RouteVersionNotFound
from gateway.routing.repository import READ_SECONDS, RouteRepository
from gateway.storage.audit_log import Actor, list_audit_entries
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

ACTOR = Actor("key_admin", "req_1")


def _to(model: str) -> RouteSpec:
    return RouteSpec.model_validate({"targets": [{"model": model}]})


@pytest.fixture
def routes(database: Database, clock: ManualClock) -> RouteRepository:
    return RouteRepository(database, clock)


async def test_a_route_is_replaced_whole_and_listed_by_name_at_once(
    routes: RouteRepository, clock: ManualClock
) -> None:
    assert await routes.list_routes() == {}
    for name, model in (("smart", "a"), ("fast", "b"), ("smart", "c")):
        clock.advance(0.1)
        changed = await routes.update_route(name, _to(model), ACTOR)
    known = await routes.list_routes()
    assert [(name, spec.targets[0].model) for name, spec in known.items()] == [("fast", "b"), ("smart", "c")]
    assert (await routes.get_update_times())["smart"] == changed == clock.now()


async def test_another_replica_sees_a_change_within_a_second(
    routes: RouteRepository, database: Database, clock: ManualClock
) -> None:
    other = RouteRepository(database, clock)
    assert await other.list_routes() == {}
    await routes.update_route("smart", _to("a"), ACTOR)
    clock.advance(READ_SECONDS)
    assert set(await other.list_routes()) == {"smart"}
    await routes.delete_route("smart", ACTOR)
    assert await routes.list_routes() == {}
    clock.advance(READ_SECONDS)
    assert await other.list_routes() == {}


async def test_a_route_that_is_not_there_is_not_deleted_and_nothing_is_noted(
    routes: RouteRepository, database: Database
) -> None:
    with pytest.raises(RouteNotFound, match="'smart'"):
        await routes.delete_route("smart", ACTOR)
    assert (await list_audit_entries(database, 10, None, None)).data == []


async def test_who_changed_a_route_and_to_what_is_noted(
    routes: RouteRepository, database: Database, clock: ManualClock
) -> None:
    await routes.update_route("smart", _to("a"), ACTOR)
    clock.advance(1)
    await routes.delete_route("smart", ACTOR)
    gone, made = (await list_audit_entries(database, 10, None, "smart")).data
    assert (made.action, gone.action, made.actor_key_id) == ("route.put", "route.delete", "key_admin")
    assert RouteSpec.model_validate(made.detail) == _to("a")


async def test_each_other_spec_is_a_version_and_the_same_one_is_none(
    routes: RouteRepository, clock: ManualClock
) -> None:
    for model in ("a", "b", "b"):
        clock.advance(1)
        await routes.update_route("smart", _to(model), ACTOR)
    page = await routes.list_versions("smart", 10, None)
    assert [(one.version, one.spec.targets[0].model, one.active) for one in page.data] == [
        (2, "b", True), (1, "a", False),
    ]  # fmt: skip
    assert (page.data[0].ended_at, page.data[1].ended_at) == (None, page.data[0].activated_at)
    first = await routes.list_versions("smart", 1, None)
    assert [one.version for one in (await routes.list_versions("smart", 1, first.next_cursor)).data] == [1]


async def test_a_version_answers_again_by_one_act_that_is_noted(
    routes: RouteRepository, database: Database, clock: ManualClock
) -> None:
    for model in ("a", "b"):
        await routes.update_route("smart", _to(model), ACTOR)
    clock.advance(1)
    for _ in range(2):
        await routes.activate_version("smart", 1, ACTOR)
    active = (await routes.list_routes())["smart"]
    assert (active.version, active.targets[0].model) == (1, "a")
    noted = [one for one in (await list_audit_entries(database, 10, None, "smart")).data if one.action != "route.put"]
    assert [(one.action, one.detail) for one in noted] == [("route.activate", {"version": 1, "was": 2})]
    (old, now) = sorted((await routes.list_versions("smart", 10, None)).data, key=lambda one: -one.version)
    assert (old.ended_at, now.ended_at, now.activated_at) == (clock.now(), None, clock.now())


async def test_a_version_that_there_never_was_is_not_found(routes: RouteRepository) -> None:
    await routes.update_route("smart", _to("a"), ACTOR)
    for version in (0, 2):
        with pytest.raises(RouteVersionNotFound):
            await routes.activate_version("smart", version, ACTOR)
    with pytest.raises(RouteNotFound):
        await routes.activate_version("other", 1, ACTOR)


async def test_a_route_s_versions_go_with_it(routes: RouteRepository) -> None:
    await routes.update_route("smart", _to("a"), ACTOR)
    await routes.delete_route("smart", ACTOR)
    await routes.update_route("smart", _to("b"), ACTOR)
    assert [one.spec.targets[0].model for one in (await routes.list_versions("smart", 10, None)).data] == ["b"]


async def test_changes_at_once_are_versions_one_after_the_other(routes: RouteRepository) -> None:
    await asyncio.gather(*(routes.update_route("smart", _to(model), ACTOR) for model in "abcd"))
    assert [one.version for one in (await routes.list_versions("smart", 10, None)).data] == [4, 3, 2, 1]
