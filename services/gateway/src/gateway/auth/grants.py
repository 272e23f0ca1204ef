"""Whose grants an installation honours: its own, and for a while those of one that it was restored from."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import select

from contracts.access.delegation import Delegation
from gateway.auth.restore_epoch import SIGNER
from gateway.storage.tables import installation
from servicekit.auth.delegation import DelegationVerifier, InvalidDelegation, verified
from servicekit.core.clock import Clock
from servicekit.sql.database import Database


class Grants:
    """Verifies grants: of this installation, or of one that it was restored from, for as long as grants live."""

    def __init__(self, database: Database, clock: Clock, lifetime: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._lifetime = lifetime

    async def verify(self, grant: str, own: DelegationVerifier, *, also_expired: bool = False) -> Delegation:
        """The grant's claims; raises `InvalidDelegation`. `also_expired`: where it only says who pays."""
        try:
            return own.verify(grant, "grants", also_expired=also_expired)
        except InvalidDelegation as refused:
            now = None if also_expired else self._clock.now()
            for key in await self._former(now):
                try:
                    return verified(grant, key, "grants", now)
                except InvalidDelegation:
                    continue
            raise refused from None

    async def _former(self, now: datetime | None) -> list[Ed25519PublicKey]:
        query = select(installation.c.value).where(installation.c.name.startswith(SIGNER))
        if now is not None:
            query = query.where(installation.c.at > now - self._lifetime)
        texts = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        keys = [load_pem_public_key(text.encode()) for text in texts]
        return [key for key in keys if isinstance(key, Ed25519PublicKey)]
