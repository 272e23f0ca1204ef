"""What the gateway makes once: the key pair that signs delegation tokens, and the first admin key.

Safe with several replicas starting at once: the first to create a file or row wins, the others read it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from contracts.access.keys import KeyCreate
from gateway.auth.key_repository import key_row
from gateway.auth.keys import ALL_SCOPES, is_secret, new_secret
from gateway.auth.tenant_repository import TenantRepository
from gateway.storage.audit_log import INSTALLATION, note
from gateway.storage.dialects import insert_missing
from gateway.storage.secret_files import write_first, write_whole
from gateway.storage.tables import keys
from servicekit.auth.delegation import generate_key_pair
from servicekit.core.clock import Clock
from servicekit.sql.database import Database

log = structlog.get_logger(__name__)
ADMIN_KEY_ID = "key_admin"
SECRET_MODE, PUBLIC_MODE = 0o600, 0o644


def ensure_key_pair(private_file: Path, public_file: Path) -> bytes:
    """The private key as PEM, made if it is not there; the public file is made to match it."""
    if private_file.exists():
        private = private_file.read_bytes()
    else:
        private = write_first(private_file, generate_key_pair()[0], SECRET_MODE)
    public = (
        load_pem_private_key(private, password=None)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    if not public_file.exists() or public_file.read_bytes() != public:
        write_whole(public_file, public, PUBLIC_MODE)
    return private


async def ensure_admin_key(
    database: Database, tenants: TenantRepository, clock: Clock, key_file: Path, tenant: str
) -> None:
    """Make the first admin key if this ledger never had it: stored as a hash, written to the file, never logged.

    A well-formed key that is already in the file is taken over.
    """
    given = await asyncio.to_thread(given_secret, key_file)
    secret, now = given or new_secret(), clock.now()
    wanted = KeyCreate(name="admin, made at the first start", tenant=tenant, scopes=list(ALL_SCOPES))
    async with database.write() as connection:
        if not await insert_missing(database, connection, keys, [key_row(wanted, ADMIN_KEY_ID, secret, clock)]):
            return
        await tenants.ensure_tenant(connection, tenant, now, INSTALLATION)
        await note(connection, now, INSTALLATION, "key.create", ADMIN_KEY_ID, {"tenant": tenant})
        if given is None:  # before the commit: a key that nobody has would lock everybody out
            await asyncio.to_thread(write_whole, key_file, secret.encode(), SECRET_MODE)
    if given is None:
        log.warning("first start: the admin key is in this file", file=str(key_file))
    else:
        log.info("first start: took over the admin key in the file", file=str(key_file))


def given_secret(key_file: Path) -> str | None:
    """The well-formed key that is in the file, if there is one."""
    try:
        text = key_file.read_text().strip()
    except FileNotFoundError:
        return None
    return text if is_secret(text) else None
