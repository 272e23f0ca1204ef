"""Who may call: the key behind a call, whether it is active, and whether its limits let the call in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import structlog

from gateway.errors import (
    GrantRefused,
    KeyExpired,
    KeyMissing,
    KeyRevoked,
    KeyUnknown,
    LimitsUnavailable,
    TooManyRequests,
)
from gateway.key_ledger import KeyLedger
from gateway.keys import Principal, hash_secret, is_secret
from gateway.metrics import LIMIT_REJECTIONS, LIMITS_SKIPPED
from gateway.ports import Gate, LimiterAway, RequestLimiter, Verdict
from gateway.remembered import Remembered
from servicekit.clock import Clock

log = structlog.get_logger(__name__)
REMEMBERED_KEYS = 20_000
AWAY_SECONDS = 1.0
WhenAway = Literal["allow", "refuse"]


class Keyring:
    """Keys by secret or id, remembered so briefly that a revocation is effective within a second."""

    def __init__(self, ledger: KeyLedger, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._by_hash = Remembered(ledger.by_hash, seconds=seconds, capacity=REMEMBERED_KEYS, clock=clock)
        self._by_id = Remembered(ledger.by_id, seconds=seconds, capacity=REMEMBERED_KEYS, clock=clock)

    async def identify(self, authorization: str | None) -> Principal:
        """The active key in an `Authorization` header; raises a 401 that says what to do."""
        scheme, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise KeyMissing
        if not is_secret(secret):
            raise KeyUnknown
        principal = await self._by_hash.get(hash_secret(secret))
        if principal.revoked_at is not None:
            raise KeyRevoked
        if not principal.active_at(self._clock.now()):
            raise KeyExpired
        return principal

    async def still_active(self, key_id: str) -> Principal:
        """The key behind a token or a grant; raises `GrantRefused` once it is revoked or expired."""
        principal = await self._by_id.get(key_id)
        if not principal.active_at(self._clock.now()):
            raise GrantRefused
        return principal

    def forget(self, key_id: str) -> None:
        """Read the key anew next time."""
        self._by_id.forget(key_id)
        self._by_hash.forget_where(lambda principal: principal.key_id == key_id)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a limited key has left after this call, as the response headers tell it."""

    limit: int
    remaining: int
    reset_seconds: float

    def headers(self) -> dict[str, str]:
        """The three headers of every limited call."""
        return {
            "X-RateLimit-Limit-Requests": str(self.limit),
            "X-RateLimit-Remaining-Requests": str(self.remaining),
            "X-RateLimit-Reset-Requests": f"{math.ceil(self.reset_seconds)}s",
        }


class Admission:
    """Holds calls to the limits of their key and tenant."""

    def __init__(self, limiter: RequestLimiter, when_away: WhenAway, clock: Clock) -> None:
        self._limiter = limiter
        self._when_away = when_away
        self._clock = clock
        self._away_since: float | None = None

    async def admit(self, principal: Principal, call_id: str) -> Allowance | None:
        """Charge one call; null where nothing is limited. Raises `TooManyRequests` or `LimitsUnavailable`."""
        gates = gates_of(principal)
        if not gates:
            return None
        verdict = await self._ask(gates, call_id)
        if verdict is None:
            return None
        if verdict.refused is not None:
            gate, state = gates[verdict.refused], verdict.gates[verdict.refused]
            LIMIT_REJECTIONS.labels(f"{gate.whose}_requests").inc()
            allowance = Allowance(gate.limit, state.remaining, state.reset_seconds)
            raise TooManyRequests(gate.limit, gate.whose, math.ceil(state.retry_seconds), allowance.headers())
        gate, state = min(zip(gates, verdict.gates, strict=True), key=lambda pair: pair[1].remaining)
        return Allowance(gate.limit, state.remaining, state.reset_seconds)

    async def _ask(self, gates: list[Gate], call_id: str) -> Verdict | None:
        now = self._clock.now().timestamp()
        if self._away_since is None or not 0 <= now - self._away_since < AWAY_SECONDS:
            try:
                verdict = await self._limiter.take(gates, call_id)
            except LimiterAway as error:
                if self._away_since is None:
                    log.error("limits can't be checked: redis is away", calls=self._when_away, reason=str(error))
                self._away_since = now
            else:
                if self._away_since is not None:
                    log.warning("limits are checked again: redis is back")
                    self._away_since = None
                return verdict
        if self._when_away == "refuse":
            LIMIT_REJECTIONS.labels("redis_away").inc()
            raise LimitsUnavailable
        LIMITS_SKIPPED.inc()
        return None


def gates_of(principal: Principal) -> list[Gate]:
    """The gates that a call of this key must pass."""
    gates = []
    if principal.requests_per_minute is not None:
        name = f"{{{principal.tenant}}}:key:{principal.key_id}"
        gates.append(Gate(name, principal.requests_per_minute, "key"))
    if principal.tenant_requests_per_minute is not None:
        gates.append(Gate(f"{{{principal.tenant}}}", principal.tenant_requests_per_minute, "tenant"))
    return gates
