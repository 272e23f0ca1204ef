from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from services.gateway.tests.auth.wanted import ADMIN, wanted
from sqlalchemy import func, select

from contracts.access.delegation import Delegation
from gateway.auth.grants import Grants
from gateway.auth.key_repository import KeyRepository
from gateway.auth.keys import ALL_SCOPES, hash_secret, new_secret
from gateway.auth.restore_epoch import restore_epoch
from gateway.auth.tenant_repository import TenantRepository
from gateway.restore import restore
from gateway.settings import GatewaySettings
from gateway.storage.tables import keys as keys_table
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier, generate_key_pair
from servicekit.backup import tables as backup_tables
from servicekit.backup.file import BackupFile, about
from servicekit.backup.tables import NotEmpty
from servicekit.core.clock import ManualClock, SystemClock
from servicekit.sql.database import Database


class Restoration:
    """A backup of one installation, and the place where it is put back."""

    def __init__(self, folder: Path) -> None:
        self.private_key, public_key = generate_key_pair()
        self.public_key = public_key.decode()
        self.folder = folder / "new"
        self.folder.mkdir()
        self.settings = GatewaySettings(data_dir=self.folder, admin_key_file=self.folder / "admin.key")
        self.backup = BackupFile(folder / "backup.tar")

    async def back_up(self, database: Database) -> None:
        async with backup_tables.open_part(database, "gateway", {"public_key": self.public_key}) as pieces:
            content = b"".join([piece async for piece in pieces])
        whole = content + about("1", ManualClock().now(), ["gateway"])
        await asyncio.to_thread(self.backup.path.write_bytes, whole)

    async def run(self) -> None:
        await restore(self.settings, self.backup)

    def secret(self) -> str:
        return self.settings.admin_key_file.read_text()

    @asynccontextmanager
    async def restored(self) -> AsyncIterator[tuple[Database, KeyRepository]]:
        database = Database.open(None, self.folder, "gateway")
        clock = SystemClock()
        yield database, KeyRepository(database, TenantRepository(database, clock), clock)
        await database.close()


@pytest.fixture
def restoration(tmp_path: Path) -> Restoration:
    return Restoration(tmp_path)


async def test_keys_go_on_working_and_whoever_restores_has_an_admin_key_in_a_file_of_their_own(
    restoration: Restoration, keys: KeyRepository, database: Database
) -> None:
    created = await keys.create_key(wanted(), ADMIN)
    await restoration.back_up(database)
    await restoration.run()
    assert restoration.settings.admin_key_file.stat().st_mode & 0o777 == 0o600
    async with restoration.restored() as (_, found):
        assert (await found.get_by_hash(hash_secret(created.secret))).tenant == "acme"
        admin = await found.get_by_hash(hash_secret(restoration.secret()))
        assert (admin.tenant, admin.scopes) == ("default", frozenset(ALL_SCOPES))


@pytest.mark.parametrize("is_known", [True, False])
async def test_an_admin_key_that_is_in_the_file_already_is_taken_over_once(
    restoration: Restoration, keys: KeyRepository, database: Database, is_known: bool
) -> None:
    known = await keys.create_key(wanted(scopes=["admin"]), ADMIN)
    await restoration.back_up(database)
    secret = known.secret if is_known else new_secret()
    restoration.settings.admin_key_file.write_text(f"{secret}\n")
    await restoration.run()
    assert restoration.secret() == f"{secret}\n"
    async with restoration.restored() as (restored, found):
        assert (await found.get_by_hash(hash_secret(secret))).is_admin
        async with restored.read() as connection:
            count = (await connection.execute(select(func.count()).select_from(keys_table))).scalar_one()
    assert count == (1 if is_known else 2)


async def test_nothing_that_was_cached_before_counts_and_grants_of_before_are_still_good(
    restoration: Restoration, database: Database, tmp_path: Path
) -> None:
    await restoration.back_up(database)
    await restoration.run()
    claims = Delegation(audiences=("grants",), tenant="acme", key_id="k1", request_id="r")
    grant = DelegationSigner(restoration.private_key).sign(claims, timedelta(days=7))
    (tmp_path / "new.pub").write_bytes(generate_key_pair()[1])
    own = DelegationVerifier(tmp_path / "new.pub")
    async with restoration.restored() as (restored, _):
        assert await restore_epoch(restored)
        assert (await Grants(restored, SystemClock(), timedelta(days=7)).verify(grant, own)).tenant == "acme"


async def test_what_is_there_is_overwritten_by_nothing(restoration: Restoration, database: Database) -> None:
    await restoration.back_up(database)
    await restoration.run()
    secret = restoration.secret()
    with pytest.raises(NotEmpty):
        await restoration.run()
    assert restoration.secret() == secret
