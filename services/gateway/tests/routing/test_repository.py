from __future__ import annotations

import pytest

from contracts.access.routes import RouteSpec
from gateway.routing.errors import RouteNotFound
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
