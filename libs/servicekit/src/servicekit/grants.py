"""What a grant is good for: fresh tokens from the gateway's model plane, kept until shortly before they expire, and
usage that is charged to its key."""

from __future__ import annotations

import hashlib
import time

from contracts.delegation import FreshToken, Purpose, TokenExchange, UsageReport
from servicekit.http import Peer

KEPT = 1024
MARGIN_SECONDS = 30.0


class GrantExchange:
    """Exchanges the grants of jobs (`documents`) or of agents' runs (`runs`)."""

    def __init__(self, peer: Peer, purpose: Purpose) -> None:
        self._peer = peer
        self._purpose: Purpose = purpose
        self._kept: dict[str, tuple[str, float]] = {}

    async def token(self, grant: str, *, fresh: bool = False) -> str:
        """A token that is valid for a while yet; 403 `key_revoked` once the key is."""
        name = hashlib.sha256(grant.encode()).hexdigest()
        kept = self._kept.get(name)
        if kept is not None and kept[1] > time.monotonic() and not fresh:
            return kept[0]
        body = TokenExchange(grant=grant, purpose=self._purpose)
        answer = await self._peer.call("POST", "/v1/tokens", FreshToken, body=body)
        margin = min(MARGIN_SECONDS, answer.expires_in / 2)
        self._kept.pop(name, None)
        while len(self._kept) >= KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[name] = (answer.token, time.monotonic() + answer.expires_in - margin)
        return answer.token

    async def report(self, grant: str, report_id: str, model: str, embedding_tokens: int) -> None:
        """Charge tokens to the grant's key; the same id again charges nothing."""
        body = UsageReport(grant=grant, id=report_id, model=model, embedding_tokens=embedding_tokens)
        await self._peer.send("POST", "/v1/usage", body=body)
