"""With which right a worker calls the other services: a token that the job's grant is exchanged for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ingest.jobs.leased_job import IngestJob
from ingest.jobs.outcomes import GrantRefused, ServiceAway, TokenRefused, calling
from ingest.ports import TokenSource

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Authority:
    """Makes calls for jobs."""

    tokens: TokenSource

    async def call(self, job: IngestJob, service: str, make: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Make a call with the job's token; one that was refused is exchanged for a fresh one, once."""
        grant = job.row["grant_token"] or ""
        try:
            with calling(service):
                return await make(await self._token(grant, fresh=False))
        except TokenRefused:
            pass
        try:
            with calling(service):
                return await make(await self._token(grant, fresh=True))
        except TokenRefused:
            raise ServiceAway(service, None) from None

    async def ask_budget(self, job: IngestJob) -> None:
        """Of a job that has waited: whether its key may spend anything now, before more is read or sent for it.

        Raises `BudgetSpent`. A job that did not wait is told by its first batch.
        """
        if job.row["waiting_since"] is None:
            return
        try:
            with calling("gateway"):
                await self.tokens.ask_budget(job.row["grant_token"] or "")
        except TokenRefused:
            raise GrantRefused from None

    async def _token(self, grant: str, *, fresh: bool) -> str:
        try:
            with calling("gateway"):
                return await self.tokens.token(grant, fresh=fresh)
        except TokenRefused:
            raise GrantRefused from None
