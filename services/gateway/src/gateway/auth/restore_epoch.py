"""Which restore an installation comes from: noted with the key that signed the grants of the one before."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from gateway.storage.tables import installation
from servicekit.core.clock import Clock
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

RESTORE_EPOCH = "era"
SIGNER = "signer:"


async def restore_epoch(database: Database) -> str:
    """Different after every restore; empty before the first."""
    query = select(installation.c.value).where(installation.c.name == RESTORE_EPOCH)
    return await database.read(lambda connection: str(connection.execute(query).scalar_one_or_none() or ""))


async def begin_epoch(connection: Transaction, former_public_key: str, clock: Clock) -> None:
    """Note a restore: nothing cached before counts, and grants that the former installation gave are still good."""
    now = clock.now()
    await connection.execute(delete(installation).where(installation.c.name == RESTORE_EPOCH))
    signer = {"name": f"{SIGNER}{new_id('sig')}", "value": former_public_key, "at": now}
    await connection.execute(insert(installation), [{"name": RESTORE_EPOCH, "value": new_id("era"), "at": now}, signer])
