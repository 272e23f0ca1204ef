"""Who is calling: the key behind a secret, a token or a grant, and whether it is active."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.auth.errors import GrantRefused, KeyExpired, KeyMissing, KeyRevoked, KeyUnknown
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import Principal, bearer_secret, hash_secret, is_secret
from gateway.storage.ttl_cache import TtlCache
from servicekit.core.clock import Clock
from servicekit.core.errors import Forbidden

log = structlog.get_logger(__name__)
CACHED_KEYS = 20_000


class KeyNarrowed(Forbidden):
    """The key lost a right while a call of it was answered."""

    code = "key_narrowed"

    def __init__(self) -> None:
        super().__init__("This API key may do less than when the call began. Call again with the rights that it has.")


class Authenticator:
    """Keys by secret or id, cached so briefly that a revocation is effective within a second."""

    def __init__(self, repository: KeyRepository, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._by_hash = TtlCache(repository.get_by_hash, seconds=seconds, capacity=CACHED_KEYS, clock=clock)
        self._by_id = TtlCache(repository.get_by_id, seconds=seconds, capacity=CACHED_KEYS, clock=clock)

    async def identify(self, authorization: str | None) -> Principal:
        """The active key in an `Authorization` header; raises a 401 that says what to do."""
        secret = bearer_secret(authorization)
        if not secret:
            raise KeyMissing
        if not is_secret(secret):
            raise KeyUnknown
        return await self.identify_hash(hash_secret(secret))

    async def identify_hash(self, secret_hash: str) -> Principal:
        """The active key of which a secret has this hash; raises a 401."""
        principal = await self._by_hash.get(secret_hash)
        self._require_active(principal)
        return principal

    async def require_unchanged(self, principal: Principal) -> None:
        """Raise if a key whose call is still answered has been revoked or has expired since (401), or has lost a scope,
        a model or a collection (403). A database that can't be read meanwhile ends no answer."""
        try:
            now = await self._by_id.get(principal.key_id)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("a key can't be looked at again", key_id=principal.key_id, reason=repr(error)[:200])
            return
        self._require_active(now)
        if not now.covers(principal):
            raise KeyNarrowed

    async def require_active(self, key_id: str) -> Principal:
        """The key behind a token or a grant; raises `GrantRefused` once it is revoked or expired."""
        principal = await self._by_id.get(key_id)
        if not principal.active_at(self._clock.now()):
            raise GrantRefused
        return principal

    def _require_active(self, principal: Principal) -> None:
        if principal.revoked_at is not None:
            raise KeyRevoked
        if not principal.active_at(self._clock.now()):
            raise KeyExpired

    def invalidate(self, key_id: str) -> None:
        """Read the key anew next time."""
        self._by_id.invalidate(key_id)
        self._by_hash.invalidate_where(lambda principal: principal.key_id == key_id)

    def invalidate_tenant(self, tenant: str) -> None:
        """Read all of a tenant's keys anew next time."""
        self._by_id.invalidate_where(lambda principal: principal.tenant == tenant)
        self._by_hash.invalidate_where(lambda principal: principal.tenant == tenant)
