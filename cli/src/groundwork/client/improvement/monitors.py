"""Monitors of live answers: `client.monitors` (scopes `evaluations:read`, `evaluations:write`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.improvement.monitors import Monitor, WorstAnswer
from contracts.models.experiments import JudgedMetric
from contracts.operations import evaluations as operations
from groundwork.client.connection import Connection


class Monitors:
    """Whether recorded answers are as good as they were."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, name: str, *, metrics: Mapping[JudgedMetric, float | None] | None = None, **options: Any
    ) -> Monitor:
        """Watch answers. Of `metrics` null is compared with the days before, a number is the worst that is good;
        `options` are those of `MonitorCreate`: `model`, `collection`, `sample_percent`, `judge`, …"""
        given = {field: value for field, value in options.items() if value is not None}
        body = {"name": name, **({} if metrics is None else {"metrics": dict(metrics)}), **given}
        return self._connection.model(operations.CREATE_MONITOR, json=body)

    def list(self) -> Iterator[Monitor]:
        """All by name, with what has fallen, without figures."""
        return self._connection.pages(operations.LIST_MONITORS)

    def get(self, name: str) -> Monitor:
        """One, with the figures of its window so far."""
        return self._connection.model(operations.GET_MONITOR, name)

    def worst(self, name: str, metric: JudgedMetric, *, limit: int = 20) -> Sequence[WorstAnswer]:
        """The answers that pull a measure down, the worst first."""
        params = {"metric": metric, "limit": limit}
        return self._connection.model(operations.LIST_WORST_ANSWERS, name, params=params).data

    def delete(self, name: str) -> None:
        """Watch no more."""
        self._connection.call(operations.DELETE_MONITOR, name)
