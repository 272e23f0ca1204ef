"""Keys, tenants, their audit log, and usage."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Request

from contracts.access.keys import (
    AuditEntry,
    KeyCreate,
    KeyCreated,
    KeyPatch,
    KeyRotate,
    Tenant,
    TenantCreate,
    TenantPatch,
    UsageGroup,
    UsageRow,
)
from contracts.access.keys import Key as ApiKey
from contracts.access.tenancy import TenantDeletion
from contracts.core.base import Moment, Name
from contracts.core.pages import Page
from contracts.operations import administration as operations
from gateway.admin import tenant_deletion
from gateway.api.openapi_parts import ERRORS, serve
from gateway.auth.keys import Principal
from gateway.dependencies import Admin, Deps, Key
from gateway.storage.audit_log import Actor, list_audit_entries
from gateway.usage.report import UsageQuestion, period, usage_report
from servicekit.web.router import Router

router = Router(responses=ERRORS)
Limit = Annotated[int, Query(ge=1, le=200, description="How many at once.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


@serve(router, operations.CREATE_KEY)
async def create_key(body: KeyCreate, request: Request, deps: Deps, admin: Admin) -> KeyCreated:
    """Make a key. The answer holds its secret, which is shown this once."""
    return await deps.keys.create_key(body, _actor(admin, request))


@serve(router, operations.LIST_KEYS)
async def list_keys(
    deps: Deps, _: Admin, limit: Limit = 50, cursor: Cursor = None, tenant: Name | None = None
) -> Page[ApiKey]:
    """All keys, the oldest first, revoked ones too."""
    return await deps.keys.list_keys(limit, cursor, tenant)


@serve(router, operations.GET_KEY)
async def get_key(key_id: str, deps: Deps, _: Admin) -> ApiKey:
    """One key, without its secret."""
    return await deps.keys.get_key(key_id)


@serve(router, operations.DELETE_KEY)
async def revoke_key(key_id: str, request: Request, deps: Deps, admin: Admin) -> None:
    """Revoke a key for ever, effective within a second on every replica."""
    await deps.keys.revoke_key(key_id, _actor(admin, request))
    deps.authenticator.invalidate(key_id)


@serve(router, operations.UPDATE_KEY)
async def update_key(key_id: str, body: KeyPatch, request: Request, deps: Deps, admin: Admin) -> ApiKey:
    """Change a key's name, scopes, models, collections, limits, budgets or expiry, effective within a second on every
    replica. Only what is sent changes; within `limits`, too."""
    changed = await deps.keys.update_key(key_id, body, _actor(admin, request))
    deps.authenticator.invalidate(key_id)
    return changed


@serve(router, operations.ROTATE_KEY)
async def rotate_key(
    key_id: str, request: Request, deps: Deps, admin: Admin, body: KeyRotate | None = None
) -> KeyCreated:
    """Give a key a new secret, shown this once. The old one is good beside it for `overlap_seconds` (a day)."""
    overlap = timedelta(seconds=(body or KeyRotate()).overlap_seconds)
    rotated = await deps.keys.rotate_key(key_id, overlap, _actor(admin, request))
    deps.authenticator.invalidate(key_id)
    return rotated


@serve(router, operations.LIST_AUDIT)
async def list_audit(
    deps: Deps,
    _: Admin,
    limit: Limit = 50,
    cursor: Cursor = None,
    subject: Annotated[str | None, Query(max_length=200, description="A key's id or a tenant's name.")] = None,
) -> Page[AuditEntry]:
    """Administrative acts, the newest first."""
    return await list_audit_entries(deps.database, limit, cursor, subject)


@serve(router, operations.CREATE_TENANT)
async def create_tenant(body: TenantCreate, request: Request, deps: Deps, admin: Admin) -> Tenant:
    """Make a tenant, with limits that hold for all of its keys together."""
    return await deps.tenants.create_tenant(body, _actor(admin, request))


@serve(router, operations.LIST_TENANTS)
async def list_tenants(deps: Deps, _: Admin, limit: Limit = 50, cursor: Cursor = None) -> Page[Tenant]:
    """All tenants by name."""
    return await deps.tenants.list_tenants(limit, cursor)


@serve(router, operations.GET_TENANT)
async def get_tenant(name: str, deps: Deps, _: Admin) -> Tenant:
    """One tenant."""
    return await deps.tenants.get_tenant(name)


@serve(router, operations.UPDATE_TENANT)
async def update_tenant(name: str, body: TenantPatch, request: Request, deps: Deps, admin: Admin) -> Tenant:
    """Change a tenant's limits or budgets, effective within a second on every replica. Only what is sent changes."""
    changed = await deps.tenants.update_tenant(name, body, _actor(admin, request))
    deps.authenticator.invalidate_tenant(name)
    return changed


@serve(router, operations.DELETE_TENANT)
async def delete_tenant(name: Name, request: Request, deps: Deps, admin: Admin) -> TenantDeletion:
    """Remove a tenant with everything that it owns, as a job. Its keys are revoked at once; what its calls cost stays
    in the sums of usage, without a name. Again takes up the job that is under way."""
    return await tenant_deletion.begin(deps, name, admin, request.state.request_id)


@serve(router, operations.LIST_USAGE)
async def usage(
    deps: Deps,
    key: Key,
    group_by: UsageGroup = "key",
    start: Annotated[Moment | None, Query(alias="from", description="Inclusive; 30 days before `to`.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Exclusive; now.")] = None,
    tenant: Name | None = None,
) -> Page[UsageRow]:
    """Requests, tokens and cost by key, tenant, model, day or collection. A key without `admin` sees its own
    tenant's; one that is limited to some models or collections, its own calls."""
    since, until = period(start, end, deps.clock.now())
    whose = tenant if key.is_admin else key.tenant
    caller = key.key_id if key.is_limited and not key.is_admin else None
    return Page[UsageRow](data=await usage_report(deps.database, UsageQuestion(group_by, since, until, whose, caller)))


def _actor(admin: Principal, request: Request) -> Actor:
    return Actor(admin.key_id, request.state.request_id)
