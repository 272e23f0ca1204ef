"""Keys, tenants, routes, usage, the installation and its health."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.access.keys import (
    AuditEntry,
    Key,
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
from contracts.access.tenancy import TenantDeletion
from contracts.core.health import Health
from contracts.core.pages import Page
from contracts.models.experiments import Experiment
from contracts.models.routes import Route, RouteSpec, RouteVersion
from contracts.operations.operation import CURSOR, LIMIT, Operation, Query, string_of
from contracts.operations.reach import NO_MODEL

ADMIN: tuple[Scope, ...] = ("admin",)
_OF_KEYS, _OF_TENANTS, _OF_ROUTES, _HEALTH = ("keys",), ("tenants",), ("routes",), ("health",)
_KEY = "/v1/keys/{key_id}"
_TENANT = "/v1/tenants/{name}"
_ROUTE = "/v1/routes/{name}"

_OF_TENANT = Query("tenant", {"type": "string"}, "Only of this tenant.")
_SUBJECT = Query("subject", {"type": "string", "maxLength": 200}, "A key's id or a tenant's name.")
_GROUP = Query("group_by", string_of(UsageGroup), "What a row is the sum of.")
_VERSION = Query(
    "version", {"type": "integer", "minimum": 1}, "Of the route; by default the one that answers, or the last split."
)
_FROM = Query("from", {"type": "string", "format": "date-time"}, "Inclusive; 30 days before `to`.")
_TO = Query("to", {"type": "string", "format": "date-time"}, "Exclusive; now.")

# fmt: off
CREATE_KEY = Operation(
    "POST", "/v1/keys", KeyCreated, ADMIN, _OF_KEYS, NO_MODEL, status=201, name="create_key", request=KeyCreate,
    carries="json",
)
LIST_KEYS = Operation(
    "GET", "/v1/keys", Page[Key], ADMIN, _OF_KEYS, NO_MODEL, name="list_keys", queries=(LIMIT, CURSOR, _OF_TENANT),
)
GET_KEY = Operation("GET", _KEY, Key, ADMIN, _OF_KEYS, NO_MODEL, name="show_key")
UPDATE_KEY = Operation(
    "PATCH", _KEY, Key, ADMIN, _OF_KEYS, NO_MODEL, name="change_key", request=KeyPatch, carries="json",
)
DELETE_KEY = Operation("DELETE", _KEY, NoneType, ADMIN, _OF_KEYS, NO_MODEL, status=204, name="revoke_key")
ROTATE_KEY = Operation(
    "POST", f"{_KEY}/rotate", KeyCreated, ADMIN, _OF_KEYS, NO_MODEL, name="rotate_key", request=KeyRotate,
    carries="json",
)
LIST_AUDIT = Operation(
    "GET", "/v1/audit", Page[AuditEntry], ADMIN, _OF_KEYS, NO_MODEL, name="list_audit",
    queries=(LIMIT, CURSOR, _SUBJECT),
)
CREATE_TENANT = Operation(
    "POST", "/v1/tenants", Tenant, ADMIN, _OF_TENANTS, NO_MODEL, status=201, name="create_tenant", request=TenantCreate,
    carries="json",
)
LIST_TENANTS = Operation(
    "GET", "/v1/tenants", Page[Tenant], ADMIN, _OF_TENANTS, NO_MODEL, name="list_tenants", queries=(LIMIT, CURSOR),
)
GET_TENANT = Operation("GET", _TENANT, Tenant, ADMIN, _OF_TENANTS, NO_MODEL, name="show_tenant")
UPDATE_TENANT = Operation(
    "PATCH", _TENANT, Tenant, ADMIN, _OF_TENANTS, NO_MODEL, name="change_tenant", request=TenantPatch, carries="json",
)
DELETE_TENANT = Operation(
    "DELETE", _TENANT, TenantDeletion, ADMIN, _OF_TENANTS, NO_MODEL, status=202, name="delete_tenant",
)
LIST_ROUTES = Operation("GET", "/v1/routes", Page[Route], ADMIN, _OF_ROUTES, NO_MODEL, name="list_routes")
PUT_ROUTE = Operation(
    "PUT", _ROUTE, Route, ADMIN, _OF_ROUTES, NO_MODEL, name="put_route", request=RouteSpec, carries="json",
)
DELETE_ROUTE = Operation("DELETE", _ROUTE, NoneType, ADMIN, _OF_ROUTES, NO_MODEL, status=204, name="delete_route")
LIST_ROUTE_VERSIONS = Operation(
    "GET", f"{_ROUTE}/versions", Page[RouteVersion], ADMIN, _OF_ROUTES, NO_MODEL, name="list_route_versions",
    queries=(LIMIT, CURSOR),
)
ACTIVATE_ROUTE = Operation(
    "POST", f"{_ROUTE}/versions/{{version}}/activate", Route, ADMIN, _OF_ROUTES, NO_MODEL, name="activate_route",
)
GET_EXPERIMENT = Operation(
    "GET", "/v1/experiments/{route}", Experiment, ADMIN, _OF_ROUTES, NO_MODEL, name="show_experiment",
    queries=(_VERSION,),
)
DELETE_CACHE = Operation(
    "DELETE", "/v1/cache", NoneType, ADMIN, _OF_ROUTES, NO_MODEL, status=204, name="forget_answers",
    queries=(_OF_TENANT,),
)
LIST_USAGE = Operation(
    "GET", "/v1/usage", Page[UsageRow], (), ("usage",), NO_MODEL, name="usage",
    queries=(_GROUP, _FROM, _TO, _OF_TENANT),
)
BACK_UP = Operation("GET", "/v1/backup", bytes, ADMIN, ("installation",), NO_MODEL, name="backup")
HEALTH = Operation("GET", "/healthz", Health, (), _HEALTH, NO_MODEL, name="healthz", is_open=True)
READINESS = Operation(
    "GET", "/readyz", Health, (), _HEALTH, NO_MODEL, name="readyz", other_statuses=(503,), is_open=True,
)
# fmt: on
