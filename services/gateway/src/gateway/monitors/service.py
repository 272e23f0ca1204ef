"""What `/v1/monitors` answers, and the look that finds falls."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from contracts.improvement.monitors import Monitor, MonitorCreate, MonitorFigure, WorstAnswer
from contracts.models.experiments import JudgedMetric
from gateway.experiments.looks import look_until_cancelled
from gateway.metrics import MONITORS_FALLEN
from gateway.monitors.errors import NotMonitored
from gateway.monitors.figures import MONITORED, Scope, Windows, monitor_sums, worst_answers
from gateway.monitors.repository import MonitorRepository, StoredMonitor
from gateway.monitors.verdict import falls_after, figure_of
from gateway.monitors.verdicts import Verdicts
from gateway.storage.audit_log import Actor
from servicekit.core.clock import Clock
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Monitors:
    """The monitors of all tenants."""

    database: Database
    clock: Clock

    @property
    def repository(self) -> MonitorRepository:
        """In SQL."""
        return MonitorRepository(self.database, self.clock)

    @property
    def verdicts(self) -> Verdicts:
        """Of their judges."""
        return Verdicts(self.database, self.clock)

    async def create_monitor(self, scope: Scope, spec: MonitorCreate, actor: Actor) -> Monitor:
        """Raises `MonitorExists`, `TooManyMonitors`."""
        return await self._with_figures(await self.repository.create_monitor(scope, spec, actor))

    async def list_monitors(self, scope: Scope) -> list[Monitor]:
        """By name, without figures."""
        return [one.as_reply() for one in await self.repository.list_monitors(scope)]

    async def get_monitor(self, scope: Scope, name: str) -> Monitor:
        """With the figures of now; raises `MonitorNotFound`."""
        return await self._with_figures(await self.repository.get_monitor(scope, name))

    async def delete_monitor(self, scope: Scope, name: str, actor: Actor) -> None:
        """Raises `MonitorNotFound`."""
        await self.repository.delete_monitor(scope, name, actor)

    async def list_worst(self, scope: Scope, name: str, metric: JudgedMetric, limit: int) -> list[WorstAnswer]:
        """Of this window, or since the one in which the measure's fall was found. Raises `MonitorNotFound`,
        `NotMonitored`."""
        one = await self.repository.get_monitor(scope, name)
        if metric not in one.spec.metrics:
            raise NotMonitored(name, list(one.spec.metrics))
        starts = [Windows.at(fall.at, one.spec).start for fall in one.falls if fall.metric == metric]
        since = min([Windows.at(self.clock.now(), one.spec).start, *starts])
        return await worst_answers(self.database, one.scope, one.spec, since, metric, limit)

    async def run(self) -> None:
        """Look at all, until cancelled. Every replica does; one of them writes what has changed."""
        await look_until_cancelled(self.look, seconds=LOOK_SECONDS, who="monitors")

    async def look(self) -> None:
        """Once."""
        for one in await self.repository.list_monitors():
            await self._look_at(one)
        fallen = await self.repository.count_falls()
        for metric in MONITORED:
            MONITORS_FALLEN.labels(metric).set(fallen.get(metric, 0))

    async def _look_at(self, one: StoredMonitor) -> None:
        windows, figures = await self._figures(one)
        falls = falls_after(one.falls, figures, windows, self.clock.now())
        if falls == one.falls or not await self.repository.update_falls(one, falls):
            return
        for fall in falls:
            if fall.metric not in {before.metric for before in one.falls}:
                about = fall.model_dump(mode="json", include={"metric", "value", "expected", "p"})
                log.error("a measure of live answers fell", monitor=one.spec.name, tenant=one.scope.tenant, **about)

    async def _with_figures(self, one: StoredMonitor) -> Monitor:
        windows, figures = await self._figures(one)
        judge = one.spec.judge
        verdicts = None if judge is None else await self.verdicts.summary(one, judge)
        return one.as_reply(window=windows.start, figures=figures, verdicts=verdicts)

    async def _figures(self, one: StoredMonitor) -> tuple[Windows, dict[JudgedMetric, MonitorFigure]]:
        windows = Windows.at(self.clock.now(), one.spec)
        now, before = await monitor_sums(self.database, one.scope, one.spec, windows)
        return windows, {metric: figure_of(one.spec, metric, now, before) for metric in one.spec.metrics}
