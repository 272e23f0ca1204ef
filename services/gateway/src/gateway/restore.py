"""`python -m gateway.restore FILE`: put the gateway's part of a backup into an empty database.

Keys that callers hold go on working, since only their digests are kept. Whoever restores need not hold one: an admin
key is made anew, in the file where the first start would have put it.
"""

from __future__ import annotations

import asyncio
import json
import sys

from sqlalchemy import delete, insert, select

from contracts.access.keys import KeyCreate
from gateway.admin.first_start import SECRET_MODE, given_secret
from gateway.auth.key_repository import key_row
from gateway.auth.keys import ALL_SCOPES, hash_secret, new_secret
from gateway.auth.restore_epoch import begin_epoch
from gateway.auth.tenant_repository import TenantRepository
from gateway.bootstrap import MIGRATIONS
from gateway.settings import GatewaySettings
from gateway.storage.audit_log import INSTALLATION, note
from gateway.storage.secret_files import write_whole
from gateway.storage.tables import keys, sessions
from servicekit.backup import restore as restore_command
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import BackupFile
from servicekit.core.clock import SystemClock
from servicekit.core.identifiers import new_id
from servicekit.sql.database import Database
from servicekit.sql.transaction import Transaction

PREFIX = "gateway/"


async def restore(settings: GatewaySettings, backup: BackupFile) -> None:
    """All rows, or none."""
    database = Database.open(settings.database_url, settings.data_dir, "gateway")
    try:
        facts = next(json.load(content) for _, content in backup.members(f"{PREFIX}{backup_tables.FACTS}"))

        async def afterwards(connection: Transaction) -> None:
            await begin_epoch(connection, facts["public_key"], SystemClock())
            await connection.execute(delete(sessions))  # who signed out since would be signed in again
            await _admin_key(connection, settings, database)

        await backup_tables.load(database, MIGRATIONS, backup.members(PREFIX), then=afterwards)
    finally:
        await database.close()


async def _admin_key(connection: Transaction, settings: GatewaySettings, database: Database) -> None:
    """A new admin key, or the one that is in the file already."""
    clock = SystemClock()
    given = await asyncio.to_thread(given_secret, settings.admin_key_file)
    secret, key_id, tenant = given or new_secret(), new_id("key"), settings.admin_tenant
    known = select(keys.c.id).where(keys.c.secret_hash == hash_secret(secret))
    if (await connection.execute(known)).first() is None:
        wanted = KeyCreate(name="admin, made by a restore", tenant=tenant, scopes=list(ALL_SCOPES))
        await TenantRepository(database, clock).ensure_tenant(connection, tenant, clock.now(), INSTALLATION)
        await connection.execute(insert(keys).values(key_row(wanted, key_id, secret, clock)))
        await note(connection, clock.now(), INSTALLATION, "key.create", key_id, {"tenant": tenant, "by": "restore"})
    if given is None:  # before the commit: a key that nobody has would lock everybody out
        await asyncio.to_thread(write_whole, settings.admin_key_file, secret.encode(), SECRET_MODE)


if __name__ == "__main__":
    settings = GatewaySettings()
    sys.exit(restore_command.run(settings, "gateway", lambda backup: restore(settings, backup)))
