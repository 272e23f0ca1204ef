"""A bell within one process, for tests: it remembers who rang."""

from __future__ import annotations


class MemoryBell:
    """A `Bell` that only counts."""

    def __init__(self) -> None:
        self.rings: list[str] = []

    def ring(self, job_id: str, request_id: str) -> None:
        """Remember the job."""
        self.rings.append(job_id)

    async def probe(self) -> None:
        """It always works."""
