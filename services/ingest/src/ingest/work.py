"""One claimed job: its lease, its rows as last written, and what its stages took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from servicekit.leases import Lease
from servicekit.tracing import span


@dataclass
class Work:
    """What a worker knows of the job it holds."""

    lease: Lease
    job: dict[str, Any]
    revision: dict[str, Any]
    layout: int = 1
    """The retriever's number for the way in which the collection wants documents cut."""
    embedding_model: str = ""
    """The collection's."""
    unreported: list[tuple[str, str, int]] = field(default_factory=list)
    """Ids, models and embedding tokens that the gateway has not been told yet."""
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage, over all attempts."""

    def __post_init__(self) -> None:
        self.timings = dict(self.job["timings"] or {})

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the block's time to a stage."""
        started = time.perf_counter()
        try:
            with span(stage):
                yield
        finally:
            took = (time.perf_counter() - started) * 1000
            self.timings[stage] = round(self.timings.get(stage, 0.0) + took, 1)
