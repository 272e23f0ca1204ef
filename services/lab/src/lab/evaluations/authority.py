"""With which right an evaluation asks: its key's, for as long as that is active."""

from __future__ import annotations

from datetime import datetime, timedelta

from contracts.access.delegation import Spent, SpentQuestion
from servicekit.auth.grants import SPENT_SECONDS, GrantExchange
from servicekit.peers.client import Peer

CLOCKS = timedelta(hours=1)
"""How far the gateway's clock may be behind this one's."""


class EvaluationGrants:
    """Exchanges grants at the gateway's model plane."""

    def __init__(self, plane: Peer) -> None:
        self._plane = plane
        self._exchange = GrantExchange(plane, "evaluations")

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        """A token to ask with."""
        return await self._exchange.token(grant, fresh=fresh, call_id=call_id)

    async def spent(self, grant: str, call_id: str, since: datetime) -> Spent:
        """What the public calls of an evaluation have used, and what was called for them."""
        body = SpentQuestion(grant=grant, call_id=call_id, by="requests", since=since - CLOCKS)
        return await self._plane.call("POST", "/v1/spent", Spent, body=body, timeout_seconds=2 * SPENT_SECONDS)
