"""One claimed job: its lease, its rows as last written, and what its stages took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from servicekit.jobs.leases import Lease
from servicekit.telemetry.spans import span


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
    is_staged: bool = False
    """Whether a generation is being built for which the document is cut otherwise, too."""
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage, over all attempts."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the job's row is written, so that `job` is what was written last."""
    give_way: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the job is to leave its slot to another tenant's."""
    _running: dict[str, tuple[int, float]] = field(default_factory=dict)
    """How many blocks of a stage are open, and up to when its time is counted."""

    def __post_init__(self) -> None:
        self.timings = dict(self.job["timings"] or {})

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the block's time to a stage; time that several blocks of a stage share counts once."""
        open_blocks, counted = self._running.get(stage, (0, 0.0))
        self._running[stage] = (open_blocks + 1, counted if open_blocks else time.perf_counter())
        try:
            with span(stage):
                yield
        finally:
            open_blocks, counted = self._running[stage]
            now = time.perf_counter()
            self._running[stage] = (open_blocks - 1, now)
            self.timings[stage] = round(self.timings.get(stage, 0.0) + (now - counted) * 1000, 1)
