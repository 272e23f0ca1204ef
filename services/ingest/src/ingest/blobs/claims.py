"""Claims on bytes in a store that several hosts share: who is about to name them, and who is removing them.

Hosts have no lock in common that frees itself when its owner dies, so a claim is a row of the ledger that ends by
itself. Any number of keepers share a key; a remover has it alone. Two that come at once take turns at the row of
`blob_turns` that stands for all keys whose digests begin alike, for the millisecond in which a claim is entered.

A claim may end while its owner is held up. A keeper notices: it gives its claim up in the very transaction that names
the bytes, which fails if a remover has taken the claim away. A remover asks how long its claim lasts yet before it
removes anything, and removes by a call that is over long before that (`S3Blobs.remove_unless`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from ingest.errors import BlobBusy
from ingest.tables import BLOB_CLAIMS, BLOB_TURNS
from servicekit.core.clock import Clock
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

log = structlog.get_logger(__name__)
KEPT = timedelta(hours=1)
"""Far longer than putting and naming takes; whoever dies meanwhile holds a removal up for so long."""
REMOVED = timedelta(seconds=120)
"""Whoever dies while removing holds an upload of the same bytes up for so long."""
WAIT_SECONDS, PAUSE_SECONDS = 10.0, 0.05
AT_ONCE = 500
_CLAIMS = BLOB_CLAIMS.c


@dataclass(slots=True)
class Claim:
    """A claim on some keys."""

    id: str
    keys: Sequence[str]
    until: datetime
    is_over: bool = False
    """Given up with the transaction that named the bytes."""

    async def confirm(self, connection: Transaction) -> None:
        """Give it up in the transaction that names the bytes; raises `BlobBusy` if they may be gone by now."""
        mine = delete(BLOB_CLAIMS).where(_CLAIMS.id == self.id).returning(_CLAIMS.key)
        if len((await connection.execute(mine)).all()) != len(self.keys):
            raise BlobBusy
        self.is_over = True


@dataclass(frozen=True, slots=True)
class BlobClaims:
    """The claims of one ledger."""

    database: Database
    clock: Clock

    async def keep(self, keys: Sequence[str]) -> Claim:
        """Share these keys with other keepers; raises `BlobBusy` if a removal does not end."""
        return await self._entered(lambda: self._enter(sorted(set(keys)), KEPT, removes=False))

    async def remove(self, key: str) -> Claim:
        """Have a key alone; raises `BlobBusy` if somebody goes on keeping it, or another removes it."""
        return await self._entered(lambda: self._enter([key], REMOVED, removes=True))

    def left(self, claim: Claim) -> float:
        """Seconds that a claim lasts yet."""
        return (claim.until - self.clock.now()).total_seconds()

    async def give_up(self, claim: Claim) -> None:
        """End it. If the ledger can't be written it ends by itself."""
        try:
            await self.database.write(
                lambda connection: connection.execute(delete(BLOB_CLAIMS).where(_CLAIMS.id == claim.id))
            )
        except (SQLAlchemyError, OSError) as error:
            log.warning("a claim could not be given up", error=repr(error)[:300])

    async def delete_claims(self, tenant: str) -> None:
        """End all claims of a tenant: whoever is about to name bytes of it fails."""
        async with self.database.write() as connection:
            theirs = _CLAIMS.key.startswith(f"{tenant}/", autoescape=True)
            await connection.execute(delete(BLOB_CLAIMS).where(theirs))

    async def prune_claims(self) -> None:
        """Remove claims of the dead."""
        await self.database.write(
            lambda connection: connection.execute(delete(BLOB_CLAIMS).where(_CLAIMS.until < self.clock.now() - KEPT))
        )

    async def _entered(self, enter: Callable[[], Awaitable[Claim | None]]) -> Claim:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while (claim := await enter()) is None:  # noqa: ASYNC110  # others are on other hosts: there is no event
                    await asyncio.sleep(PAUSE_SECONDS)
        except TimeoutError:
            raise BlobBusy from None
        return claim

    async def _enter(self, keys: Sequence[str], length: timedelta, *, removes: bool) -> Claim | None:
        """A new claim, or null while others stand against it; claims against it that have ended are taken away."""
        async with self.database.write() as connection:
            await _take_turn(connection, keys)
            now = self.clock.now()
            for first in range(0, len(keys), AT_ONCE):
                these = _CLAIMS.key.in_(keys[first : first + AT_ONCE])
                against = these if removes else these & _CLAIMS.removes
                if (await connection.execute(select(_CLAIMS.id).where(against, _CLAIMS.until > now).limit(1))).first():
                    return None
                await connection.execute(delete(BLOB_CLAIMS).where(against))
            claim = Claim(new_id("claim"), keys, now + length)
            rows = [{"id": claim.id, "key": key, "removes": removes, "until": claim.until} for key in keys]
            await connection.execute(insert(BLOB_CLAIMS), rows)
        return claim


async def _take_turn(connection: Transaction, keys: Sequence[str]) -> None:
    """Wait until nobody else enters a claim on such keys; always in the same order, so that nobody waits in a ring."""
    turns = sorted({key.rpartition("/")[2][:2] for key in keys})
    mine = select(BLOB_TURNS.c.digits).where(BLOB_TURNS.c.digits.in_(turns)).order_by(BLOB_TURNS.c.digits)
    await connection.execute(mine.with_for_update())
