"""Monitors in SQL. Of all replicas that find a change of falls, one writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select, update

from contracts.improvement.monitors import Monitor, MonitorCreate, MonitorFall
from gateway.monitors.errors import MonitorExists, MonitorNotFound, TooManyMonitors
from gateway.monitors.figures import Scope
from gateway.storage.audit_log import Actor, note
from gateway.storage.dialects import insert_missing
from gateway.storage.tables import monitor_verdicts, monitors
from servicekit.core.clock import Clock
from servicekit.sql.database import Database, rows_of
from servicekit.sql.transaction import Transaction

MOST = 20
"""Of a tenant."""
MONITOR = Actor("monitor")


@dataclass(frozen=True, slots=True)
class StoredMonitor:
    """As it is in SQL."""

    scope: Scope
    """Whose answers it is of."""
    key_id: str
    spec: MonitorCreate
    falls: list[MonitorFall]
    revision: int
    created_at: Any

    def as_reply(self, **more: Any) -> Monitor:
        """As callers see it."""
        spec = self.spec.model_dump(exclude={"sample_percent"})
        known = {"key_id": self.key_id, "created_at": self.created_at, "falls": self.falls}
        percent = f"{self.spec.sample_percent.normalize():f}"
        return Monitor.model_validate({**spec, **known, "sample_percent": percent, **more})


class MonitorRepository:
    """Reads and changes monitors. A `Scope` with a key sees only those that this key made while it was as limited."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create_monitor(self, scope: Scope, spec: MonitorCreate, actor: Actor) -> StoredMonitor:
        """Raises `MonitorExists`, `TooManyMonitors`."""
        now = self._clock.now()
        mine = select(monitors.c.name).where(monitors.c.tenant == scope.tenant)
        row = {
            "tenant": scope.tenant,
            "name": spec.name,
            "key_id": actor.key_id,
            "own_calls": scope.key_id is not None,
            "spec": spec.model_dump(mode="json"),
            "falls": [],
            "revision": 0,
            "created_at": now,
        }
        async with self._database.write() as connection:
            names = (await connection.execute(mine)).scalars().all()
            if len(names) >= MOST and spec.name not in names:
                raise TooManyMonitors(MOST)
            if not await insert_missing(self._database, connection, monitors, [row]):
                raise MonitorExists(spec.name)
            await note(connection, now, actor, "monitor.create", spec.name, {"tenant": scope.tenant})
        return _stored(row)

    async def get_monitor(self, scope: Scope, name: str) -> StoredMonitor:
        """Raises `MonitorNotFound`."""
        rows = await self._database.read(rows_of(_seen(scope).where(monitors.c.name == name)))
        if not rows:
            raise MonitorNotFound(name)
        return _stored(rows[0])

    async def list_monitors(self, scope: Scope | None = None) -> list[StoredMonitor]:
        """By name; without a scope those of all tenants."""
        query = select(monitors) if scope is None else _seen(scope)
        rows = await self._database.read(rows_of(query.order_by(monitors.c.tenant, monitors.c.name)))
        return [_stored(row) for row in rows]

    async def delete_monitor(self, scope: Scope, name: str, actor: Actor) -> None:
        """Raises `MonitorNotFound`."""
        await self.get_monitor(scope, name)
        gone = delete(monitors).where(monitors.c.tenant == scope.tenant, monitors.c.name == name)
        async with self._database.write() as connection:
            if not (await connection.execute(gone)).rowcount:
                raise MonitorNotFound(name)
            of = monitor_verdicts.c
            await connection.execute(delete(monitor_verdicts).where(of.tenant == scope.tenant, of.monitor == name))
            await note(connection, self._clock.now(), actor, "monitor.delete", name, {"tenant": scope.tenant})

    async def update_falls(self, one: StoredMonitor, falls: list[MonitorFall]) -> bool:
        """Whether it was this replica that changed them; then the audit log has what began and what is over."""
        named = (monitors.c.tenant == one.scope.tenant, monitors.c.name == one.spec.name)
        same = (*named, monitors.c.created_at == one.created_at)  # not one that was made anew under the name
        values = {"falls": [fall.model_dump(mode="json") for fall in falls], "revision": one.revision + 1}
        change = update(monitors).where(*same, monitors.c.revision == one.revision).values(**values)
        async with self._database.write() as connection:
            if not (await connection.execute(change)).rowcount:
                return False
            await self._note(connection, one, falls)
        return True

    async def _note(self, connection: Transaction, one: StoredMonitor, falls: list[MonitorFall]) -> None:
        before, after = ({fall.metric: fall for fall in some} for some in (one.falls, falls))
        changes = [("monitor.fall", metric, after[metric]) for metric in after if metric not in before]
        changes += [("monitor.over", metric, before[metric]) for metric in before if metric not in after]
        for action, metric, fall in changes:
            detail = {"tenant": one.scope.tenant, "metric": metric, **fall.model_dump(mode="json")}
            await note(connection, self._clock.now(), MONITOR, action, one.spec.name, detail)

    async def count_falls(self) -> dict[str, int]:
        """How many monitors of all tenants have a fall, by measure."""
        found: dict[str, int] = {}
        for one in await self.list_monitors():
            for fall in one.falls:
                found[fall.metric] = found.get(fall.metric, 0) + 1
        return found


async def delete_tenant(connection: Transaction, tenant: str) -> None:
    """All that a tenant has."""
    await connection.execute(delete(monitor_verdicts).where(monitor_verdicts.c.tenant == tenant))
    await connection.execute(delete(monitors).where(monitors.c.tenant == tenant))


def _seen(scope: Scope) -> Select[Any]:
    query = select(monitors).where(monitors.c.tenant == scope.tenant)
    return query if scope.key_id is None else query.where(monitors.c.key_id == scope.key_id, monitors.c.own_calls)


def _stored(row: Any) -> StoredMonitor:
    return StoredMonitor(
        scope=Scope(row["tenant"], row["key_id"] if row["own_calls"] else None),
        key_id=row["key_id"],
        spec=MonitorCreate.model_validate(row["spec"]),
        falls=[MonitorFall.model_validate(fall) for fall in row["falls"]],
        revision=row["revision"],
        created_at=row["created_at"],
    )
