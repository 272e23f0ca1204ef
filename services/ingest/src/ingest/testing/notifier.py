"""A notifier within one process, for tests: it remembers who rang."""

from __future__ import annotations


class MemoryNotifier:
    """A `Notifier` that only counts."""

    def __init__(self) -> None:
        self.notified: list[str] = []

    def notify(self, job_id: str, request_id: str) -> None:
        """Remember the job."""
        self.notified.append(job_id)

    async def probe(self) -> None:
        """It always works."""
