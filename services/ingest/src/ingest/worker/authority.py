"""With which right a worker calls the other services: a token that the job's grant is exchanged for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from ingest.ports import TokenSource
from ingest.work import Work
from ingest.worker.outcomes import GrantRefused, ServiceAway, TokenRefused, calling
from servicekit.errors import ServiceError
from servicekit.identifiers import new_id

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Authority:
    """Makes calls for jobs."""

    tokens: TokenSource

    async def call(self, work: Work, service: str, make: Callable[[str], Awaitable[Answer]]) -> Answer:
        """Make a call with the job's token; one that was refused is exchanged for a fresh one, once."""
        grant = work.job["grant_token"] or ""
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

    async def embedded(self, work: Work, model: str, tokens: int) -> None:
        """Have the job's key charged for embeddings. While the gateway is away that waits for the next batch."""
        if tokens:
            work.unreported.append((new_id("embedded"), model, tokens))
        try:
            async with work.reporting:
                while work.unreported:
                    await self.tokens.report(work.job["grant_token"] or "", *work.unreported[0])
                    del work.unreported[0]
        except ServiceError as error:
            left = sum(tokens for _, _, tokens in work.unreported)
            log.warning("embeddings not charged yet", job_id=work.job["id"], tokens=left, reason=error.code)

    async def _token(self, grant: str, *, fresh: bool) -> str:
        try:
            with calling("gateway"):
                return await self.tokens.token(grant, fresh=fresh)
        except TokenRefused:
            raise GrantRefused from None
