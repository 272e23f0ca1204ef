"""`/v1/routes`: public model names over inference's models."""

from __future__ import annotations

from fastapi import Request

from contracts.access.routes import Route, RouteName, RouteSpec
from contracts.core.base import Name
from contracts.core.pages import Page
from contracts.operations import administration as operations
from gateway.api.openapi_parts import ERRORS, serve
from gateway.cache.store import CacheUnreachable, StoreUnavailable
from gateway.dependencies import Admin, Dependencies, Deps
from gateway.models.catalog import DEFAULT
from gateway.routing.errors import RouteModelUnknown, RouteNameTaken, RouteNotFound
from gateway.routing.report import report
from gateway.storage.audit_log import Actor
from servicekit.web.router import Router

router = Router(responses=ERRORS)


@serve(router, operations.LIST_ROUTES)
async def list_routes(deps: Deps, _: Admin) -> Page[Route]:
    """Every public chat model: what is behind it, its health, its circuits and its fallbacks."""
    return Page[Route](data=await _routes(deps))


@serve(router, operations.PUT_ROUTE)
async def update_route(name: RouteName, body: RouteSpec, request: Request, deps: Deps, admin: Admin) -> Route:
    """Make or replace a route, effective within a second on every replica. It may have a model's name."""
    if name == DEFAULT:
        raise RouteNameTaken(name)
    await _require_chat_models(deps, body)
    await deps.routes.update_route(name, body, Actor(admin.key_id, request.state.request_id))
    put = next((route for route in await _routes(deps) if route.name == name), None)
    if put is None:  # and taken away since
        raise RouteNotFound(name)
    return put


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


async def _routes(deps: Dependencies) -> list[Route]:
    routes, changed = await deps.routes.list_routes(), await deps.routes.get_update_times()
    found = report(await deps.catalog.known(), routes, deps.breakers, await deps.health.now())
    return [route.model_copy(update={"updated_at": changed.get(route.name)}) for route in found]


async def _require_chat_models(deps: Dependencies, spec: RouteSpec) -> None:
    models = (await deps.catalog.models()).by_name
    named = {"targets": [target.model for target in spec.targets], "on_error": spec.on_error}
    named |= {"on_context_overflow": spec.on_context_overflow, "on_refusal": spec.on_refusal}
    for param, names in named.items():
        for name in names:
            if name not in models or models[name].kind != "chat":
                raise RouteModelUnknown(name, param)
