"""`/v1/routes`: public names over models, documents, prompts and agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request

from contracts.core.base import Name
from contracts.core.pages import Page
from contracts.models.routes import Route, RouteName, RouteSpec, RouteVersion
from contracts.operations import administration as operations
from gateway.api.administration import Cursor, Limit
from gateway.api.openapi_parts import ERRORS, serve
from gateway.auth.keys import Principal
from gateway.cache.store import CacheUnreachable, StoreUnavailable
from gateway.chat.route_check import RouteCheck
from gateway.dependencies import Admin, Dependencies, Deps
from gateway.models.catalog import DEFAULT
from gateway.routing.errors import RouteNameTaken, RouteNotFound
from gateway.routing.report import report
from gateway.storage.audit_log import Actor
from servicekit.web.router import Router

router = Router(responses=ERRORS)
Version = Annotated[int, Path(ge=1, lt=10**9)]


@serve(router, operations.LIST_ROUTES)
async def list_routes(deps: Deps, admin: Admin) -> Page[Route]:
    """Every public chat model: what is behind it, its health, its circuits and its fallbacks."""
    return Page[Route](data=await _routes(deps, admin))


@serve(router, operations.PUT_ROUTE)
async def update_route(name: RouteName, body: RouteSpec, request: Request, deps: Deps, admin: Admin) -> Route:
    """Make a route or a new version of it, effective within a second on every replica. It may have a model's name."""
    if name == DEFAULT:
        raise RouteNameTaken(name)
    await (await RouteCheck.open(deps, admin, name)).run(body)
    await deps.routes.update_route(name, body, Actor(admin.key_id, request.state.request_id))
    return await _route(deps, admin, name)


@serve(router, operations.LIST_ROUTE_VERSIONS)
async def list_route_versions(
    name: RouteName, deps: Deps, _: Admin, limit: Limit = 50, cursor: Cursor = None
) -> Page[RouteVersion]:
    """What a route was at each time, the newest first."""
    return await deps.routes.list_versions(name, limit, cursor)


@serve(router, operations.ACTIVATE_ROUTE)
async def activate_route(name: RouteName, version: Version, request: Request, deps: Deps, admin: Admin) -> Route:
    """Have a version of a route answer again, effective within a second on every replica. Its figures begin anew."""
    found = await deps.routes.get_version(name, version)
    await (await RouteCheck.open(deps, admin, name)).run(found.spec)
    await deps.routes.activate_version(name, version, Actor(admin.key_id, request.state.request_id))
    return await _route(deps, admin, name)


@serve(router, operations.DELETE_ROUTE)
async def delete_route(name: RouteName, request: Request, deps: Deps, admin: Admin) -> None:
    """Take a route away. A model of its name stands for itself again."""
    await deps.routes.delete_route(name, Actor(admin.key_id, request.state.request_id))


@serve(router, operations.DELETE_CACHE)
async def delete_answers(deps: Deps, _: Admin, tenant: Name | None = None) -> None:
    """Give no answer again that was kept before, of one tenant or of all. Needed after a database was restored."""
    try:
        await deps.answer_cache.raise_epoch(tenant)
    except StoreUnavailable:
        raise CacheUnreachable from None


async def _route(deps: Dependencies, admin: Principal, name: str) -> Route:
    found = next((route for route in await _routes(deps, admin) if route.name == name), None)
    if found is None:  # it was put, and taken away since
        raise RouteNotFound(name)
    return found


async def _routes(deps: Dependencies, admin: Principal) -> list[Route]:
    routes, changed = await deps.routes.list_routes(), await deps.routes.get_update_times()
    found = report(await deps.catalog.known(admin.tenant), routes, deps.breakers, await deps.health.now())
    return [route.model_copy(update={"updated_at": changed.get(route.name)}) for route in found]
