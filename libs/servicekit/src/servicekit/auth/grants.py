"""What a grant is good for: fresh tokens from the gateway's model plane, known until shortly before they expire, and
what was spent with them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from contracts.access.delegation import FreshToken, LearntTokens, Purpose, Scope, Spent, SpentQuestion, TokenExchange
from contracts.agents.runs import EndedRun, Run, RunSource
from servicekit.peers.client import Peer

CAPACITY = 1024
MARGIN_SECONDS = 30.0
SPENT_SECONDS = 5.0
"""The gateway waits two seconds for calls that are still open."""


class GrantExchange:
    """Exchanges the grants of jobs (`documents`) or of agents' runs (`runs`)."""

    def __init__(self, peer: Peer, purpose: Purpose) -> None:
        self._peer = peer
        self._purpose: Purpose = purpose
        self._tokens: dict[str, tuple[FreshToken, float]] = {}

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        """A token that is valid for a while yet; 403 `key_revoked` once the key is.

        `call_id`: what the calls that are made with it are charged under.
        """
        return (await self._exchanged(grant, call_id, fresh=fresh)).token

    async def scopes(self, grant: str, *, call_id: str | None = None) -> tuple[Scope, ...] | None:
        """The scopes of the grant's key, as fresh as that token; None if the gateway doesn't say."""
        return (await self._exchanged(grant, call_id)).scopes

    async def _exchanged(self, grant: str, call_id: str | None, *, fresh: bool = False) -> FreshToken:
        name = hashlib.sha256(f"{call_id or ''} {grant}".encode()).hexdigest()
        known = self._tokens.get(name)
        if known is not None and known[1] > time.monotonic() and not fresh:
            return known[0]
        body = TokenExchange(grant=grant, purpose=self._purpose, call_id=call_id)
        answer = await self._peer.call("POST", "/v1/tokens", FreshToken, body=body)
        margin = min(MARGIN_SECONDS, answer.expires_in / 2)
        self._tokens.pop(name, None)
        while len(self._tokens) >= CAPACITY:
            self._tokens.pop(next(iter(self._tokens)))
        self._tokens[name] = (answer, time.monotonic() + answer.expires_in - margin)
        return answer

    async def ask_budget(self, grant: str) -> None:
        """Return if the key's budgets have anything left; raises a 429 `budget_exceeded` if not."""
        body = TokenExchange(grant=grant, purpose=self._purpose, spends=True)
        await self._peer.call("POST", "/v1/tokens", FreshToken, body=body)

    async def charge_learnt(self, grant: str, job: str, model: str, tokens: int) -> None:
        """Put what a tuning job has read to learn into the ledger, once, also if the key was revoked meanwhile."""
        body = LearntTokens(grant=grant, job=job, model=model, tokens=tokens)
        async with self._peer.stream("POST", "/v1/learnt", body=body, timeout_seconds=SPENT_SECONDS, patient=False):
            pass

    async def spent(self, grant: str, call_id: str) -> Spent:
        """What the calls under one id have used, once none of them is open, also if the key was revoked meanwhile."""
        body = SpentQuestion(grant=grant, call_id=call_id)
        return await self._peer.call("POST", "/v1/spent", Spent, body=body, timeout_seconds=SPENT_SECONDS)

    async def record(self, grant: str, run: Run, sources: Sequence[RunSource]) -> None:
        """Have a run that has ended put on record; 403 `key_revoked` once the key is."""
        body = EndedRun(grant=grant, run=run, sources=list(sources))
        await self._peer.send("POST", "/v1/runs/ended", body=body, timeout_seconds=SPENT_SECONDS)
