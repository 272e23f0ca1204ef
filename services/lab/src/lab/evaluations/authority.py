"""With which right an evaluation asks: its key's, for as long as that is active."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from contracts.access.delegation import Purpose, Spent, SpentQuestion
from servicekit.auth.grants import SPENT_SECONDS, GrantExchange
from servicekit.peers.client import Peer

CLOCKS = timedelta(hours=1)
"""How far the gateway's clock may be behind this one's."""


class Grants(Protocol):
    """What a job's grant is good for."""

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        """A token to ask with; 403 `key_revoked` once the key is."""

    async def spent(self, grant: str, call_id: str, since: datetime) -> Spent:
        """What the job has used since then."""


def room_in_budget(row: Mapping[str, Any], spent: int | None, at_once: int) -> int:
    """How many of a job's questions may begin, now that none is under way and so much was spent, in billionths of a
    dollar: none where nothing of its budget is left, one where the next few could spend more than is."""
    budget = row["budget_nano_usd"]
    if budget is None or spent is None:
        return at_once  # a price is not known: there is nothing to hold against the budget
    if spent >= budget:
        return 0
    done = row["done"]
    return at_once if done and spent + at_once * spent / done < budget else 1


class EvaluationGrants:
    """Exchanges grants at the gateway's model plane."""

    def __init__(self, plane: Peer, purpose: Purpose = "evaluations") -> None:
        self._plane = plane
        self._exchange = GrantExchange(plane, purpose)

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        """A token to ask with."""
        return await self._exchange.token(grant, fresh=fresh, call_id=call_id)

    async def spent(self, grant: str, call_id: str, since: datetime) -> Spent:
        """What the public calls of an evaluation have used, and what was called for them."""
        body = SpentQuestion(grant=grant, call_id=call_id, by="requests", since=since - CLOCKS)
        return await self._plane.call("POST", "/v1/spent", Spent, body=body, timeout_seconds=2 * SPENT_SECONDS)
