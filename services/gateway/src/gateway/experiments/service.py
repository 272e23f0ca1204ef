"""What `GET /v1/experiments/{route}` answers, and the guard that ends a split whose variant is significantly worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import FromClause

from contracts.models.experiments import (
    BETTER_HIGH,
    SHARES,
    Experiment,
    Figure,
    Guard,
    GuardEnd,
    Metric,
    VariantFigures,
)
from contracts.models.routes import RouteSpec, RouteTarget, RouteVersion
from gateway.experiments.errors import RouteNeverSplit
from gateway.experiments.figures import METRICS, VariantSums, Window, variant_sums
from gateway.experiments.looks import look_until_cancelled
from gateway.experiments.sequential import Sums, difference, estimate
from gateway.metrics import EXPERIMENTS_ENDED
from gateway.routing.repository import ActiveRoute, RouteRepository
from servicekit.core.clock import Clock
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Experiments:
    """Reads figures, and ends splits."""

    database: Database
    routes: RouteRepository
    clock: Clock
    ratings: FromClause | None = None
    """Of answers, as `variant_sums` takes them; None where there are none."""

    async def get_experiment(self, route: str, number: int | None) -> Experiment:
        """Of a version; without a number of the one that answers or, if that is no split, of the last that was.

        Raises `RouteNotFound`, `RouteVersionNotFound`, `RouteNeverSplit`.
        """
        version = await self._version(route, number)
        window = Window(route, version.version, version.activated_at, version.ended_at)
        sums = await variant_sums(self.database, window, self.ratings)
        return Experiment(
            route=route,
            version=version.version,
            active=version.active,
            split_by=version.spec.split_by,
            since=version.activated_at,
            until=version.ended_at,
            guard=version.spec.guard,
            ended_by=version.ended_by,
            variants=variants_of(version.spec, sums),
        )

    async def _version(self, route: str, number: int | None) -> RouteVersion:
        if number is not None:
            return await self.routes.get_version(route, number)
        found = await self.routes.find_split(route)
        if found is None:
            raise RouteNeverSplit(route)
        return found

    async def run(self) -> None:
        """Look at all guarded splits, until cancelled. Every replica does; one of them ends a split."""
        await look_until_cancelled(self.look, seconds=LOOK_SECONDS, who="guards of experiments")

    async def look(self) -> None:
        """Once."""
        for name, route in (await self.routes.list_routes()).items():
            if route.guard is not None and route.is_split:
                await self._look_at(name, route, route.guard)

    async def _look_at(self, name: str, route: ActiveRoute, guard: Guard) -> None:
        version = await self.routes.get_version(name, route.version)
        if not version.active:
            return
        sums = await variant_sums(self.database, Window(name, version.version, version.activated_at), self.ratings)
        for target in route.targets[1:]:
            if target.weight == 0:
                continue
            end = self._worse(guard, target, route.targets[0], sums)
            if end is not None and await self.routes.end_variant(name, version.version, end):
                EXPERIMENTS_ENDED.labels(guard.metric).inc()
                log.error("a variant was ended by its guard", route=name, **end.model_dump(mode="json"))
                return

    def _worse(
        self, guard: Guard, target: RouteTarget, first: RouteTarget, sums: Mapping[str, VariantSums]
    ) -> GuardEnd | None:
        mine, baseline = (sums.get(one.variant, VariantSums()).of(guard.metric) for one in (target, first))
        found = difference(mine, baseline, is_share=guard.metric in SHARES)
        if found is None or found.p > guard.p or (found.value < 0) != (guard.metric in BETTER_HIGH):
            return None
        return GuardEnd(
            metric=guard.metric,
            variant=target.variant,
            value=mine.y / mine.n,
            baseline=baseline.y / baseline.n,
            p=found.p,
            at=self.clock.now(),
        )


def variants_of(spec: RouteSpec, sums: Mapping[str, VariantSums]) -> list[VariantFigures]:
    """Each target with its measures, compared with the first; a shadow last."""
    baseline = sums.get(spec.targets[0].variant, VariantSums())
    found = [
        _variant(target, sums.get(target.variant, VariantSums()), None if at == 0 else baseline)
        for at, target in enumerate(spec.targets)
    ]
    if spec.shadow is None:
        return found
    shadow = _variant(spec.shadow.target, sums.get(spec.shadow.name, VariantSums()), baseline)
    return [*found, shadow.model_copy(update={"is_shadow": True})]


def _variant(target: RouteTarget, sums: VariantSums, baseline: VariantSums | None) -> VariantFigures:
    measures = {
        metric: _figure(metric, sums.of(metric), None if baseline is None else baseline.of(metric))
        for metric in METRICS
    }
    return VariantFigures(
        name=target.variant,
        model=target.model,
        weight=target.weight,
        is_baseline=baseline is None,
        calls=sums.calls,
        units=sums.units,
        measures=measures,
    )


def _figure(metric: Metric, sums: Sums, baseline: Sums | None) -> Figure:
    is_share = metric in SHARES
    found = estimate(sums, is_share=is_share)
    compared = None if baseline is None else difference(sums, baseline, is_share=is_share)
    return Figure(
        calls=round(sums.n),
        value=sums.mean,
        low=found and found.low,
        high=found and found.high,
        difference=compared and compared.value,
        difference_low=compared and compared.low,
        difference_high=compared and compared.high,
        p=compared and compared.p,
    )
