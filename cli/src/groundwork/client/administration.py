"""Keys, tenants, routes and usage: `client.keys`, `client.tenants`, `client.routes`, `client.usage` (admin scope)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, get_args

from contracts.access.delegation import Scope
from contracts.access.keys import (
    Budget,
    Key,
    KeyCreate,
    KeyCreated,
    KeyPatch,
    Limits,
    Tenant,
    TenantCreate,
    TenantPatch,
    UsageGroup,
    UsageRow,
)
from contracts.access.records import RecordMode
from contracts.core.abstention import Abstain
from contracts.documents.jobs import Job
from contracts.models.experiments import Experiment
from contracts.models.routes import Route, RouteVersion
from contracts.operations import administration as operations
from groundwork.client.connection import Connection

ALL_SCOPES: tuple[Scope, ...] = get_args(Scope)


class Keys:
    """Make, list, change, rotate and revoke API keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str,
        *,
        tenant: str,
        scopes: Sequence[Scope] = ("chat", "documents", "search"),
        models: Sequence[str] | None = None,
        collections: Sequence[str] | None = None,
        limits: Limits | None = None,
        budgets: Sequence[Budget] = (),
        records: RecordMode | None = None,
        records_days: int | None = None,
        abstain: Abstain | None = None,
        expires_at: datetime | None = None,
    ) -> KeyCreated:
        """A new key. Its `secret` is in this answer and nowhere else. `records` and `records_days`: what is kept of
        its answers and for how long, where that is not as its tenant says; `abstain`: who decides that there is no
        answer, where neither call nor collection says so."""
        body = KeyCreate(
            name=name,
            tenant=tenant,
            scopes=list(scopes),
            models=None if models is None else list(models),
            collections=None if collections is None else list(collections),
            limits=limits or Limits(),
            budgets=list(budgets),
            records=records,
            records_days=records_days,
            abstain=abstain,
            expires_at=expires_at,
        )
        return self._connection.model(operations.CREATE_KEY, json=body.model_dump(mode="json", exclude_none=True))

    def change(self, key_id: str, wanted: KeyPatch) -> Key:
        """Change what is set in `wanted`, and nothing else; null lifts a limit."""
        body = wanted.model_dump(mode="json", exclude_unset=True)
        return self._connection.model(operations.UPDATE_KEY, key_id, json=body)

    def rotate(self, key_id: str, overlap_seconds: int = 86_400) -> KeyCreated:
        """A new secret; the old one is good beside it for a while."""
        return self._connection.model(operations.ROTATE_KEY, key_id, json={"overlap_seconds": overlap_seconds})

    def list(self) -> Iterator[Key]:
        """All keys, without their secrets."""
        return self._connection.pages(operations.LIST_KEYS)

    def revoke(self, key_id: str) -> None:
        """End a key now."""
        self._connection.call(operations.DELETE_KEY, key_id)


def usage(
    connection: Connection,
    *,
    group_by: UsageGroup,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[UsageRow]:
    """Usage by key, tenant, model or day."""
    params = {
        "group_by": group_by,
        "from": since.isoformat() if since else None,
        "to": until.isoformat() if until else None,
    }
    return connection.pages(operations.LIST_USAGE, params=params)


class Tenants:
    """Calls under `/v1/tenants` (admin scope)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, wanted: TenantCreate) -> Tenant:
        """A tenant, whose limits and budgets hold for all of its keys together."""
        return self._connection.model(operations.CREATE_TENANT, json=wanted.model_dump(mode="json", exclude_unset=True))

    def get(self, name: str) -> Tenant:
        """One tenant."""
        return self._connection.model(operations.GET_TENANT, name)

    def list(self) -> Iterator[Tenant]:
        """All tenants by name."""
        return self._connection.pages(operations.LIST_TENANTS)

    def change(self, name: str, wanted: TenantPatch) -> Tenant:
        """Change what is set in `wanted`, and nothing else, for all keys of the tenant together."""
        body = wanted.model_dump(mode="json", exclude_unset=True)
        return self._connection.model(operations.UPDATE_TENANT, name, json=body)

    def delete(self, name: str) -> Job:
        """Remove a tenant with everything that it owns; wait for the job to know when that is done."""
        return self._connection.model(operations.DELETE_TENANT, name).job


class Routes:
    """List, put and take back routes; read experiments."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[Route]:
        """Those that were put, without models that stand for themselves."""
        return (route for route in self._connection.pages(operations.LIST_ROUTES) if route.configured)

    def put(self, name: str, spec: dict[str, Any]) -> Route:
        """A spec that differs from the one before is a new version, which answers from now on."""
        return self._connection.model(operations.PUT_ROUTE, name, json=spec)

    def delete(self, name: str) -> None:
        """The name stands for nothing any more."""
        self._connection.call(operations.DELETE_ROUTE, name)

    def versions(self, name: str) -> Iterator[RouteVersion]:
        """The newest first."""
        return self._connection.pages(operations.LIST_ROUTE_VERSIONS, name)

    def activate(self, name: str, version: int) -> Route:
        """Have a version answer again; its figures begin anew."""
        return self._connection.model(operations.ACTIVATE_ROUTE, name, str(version))

    def experiment(self, name: str, version: int | None = None) -> Experiment:
        """What the variants of a version have shown; without a number, of the one that answers or was split last."""
        return self._connection.model(operations.GET_EXPERIMENT, name, params={"version": version})
