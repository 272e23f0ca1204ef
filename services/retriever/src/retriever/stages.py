"""How long each stage of a call took, for the caller's `timings` and for the metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Histogram

from servicekit.telemetry.spans import Attributes


class Stages:
    """Milliseconds by stage; a stage that runs twice is added up."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._started = time.perf_counter()
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time one stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._add(stage, time.perf_counter() - started)

    def finish(self) -> dict[str, float]:
        """All stages and `total`, the time since this object was made."""
        self._add("total", time.perf_counter() - self._started)
        return self.milliseconds

    def attributes(self) -> Attributes:
        """For a span: a search would otherwise have one for each of its stages, of which most take no time."""
        return {f"groundwork.{stage}_ms": spent for stage, spent in self.milliseconds.items()}

    def _add(self, stage: str, seconds: float) -> None:
        self._histogram.labels(stage).observe(seconds)
        self.milliseconds[stage] = round(self.milliseconds.get(stage, 0.0) + seconds * 1000, 2)
