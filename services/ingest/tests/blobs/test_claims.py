"""Claims on bytes that several hosts share: what their owners may rely on, also when they are late or dead."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select

from ingest.blobs import claims as blob_claims
from ingest.blobs.claims import BlobClaims
from ingest.errors import BlobBusy
from ingest.tables import BLOB_CLAIMS
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database

KEY, OTHER = f"acme/{'a' * 64}", f"acme/{'b' * 64}"


@pytest.fixture
def claims(database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> BlobClaims:
    monkeypatch.setattr(blob_claims, "WAIT_SECONDS", 60.0)  # a claim that nothing stands against may take its time
    return BlobClaims(database, clock)


@contextmanager
def busy() -> Iterator[None]:
    """What is asked for here is waited for in vain, which need not take long."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BlobBusy):
        patch.setattr(blob_claims, "WAIT_SECONDS", 0.2)
        yield


async def _count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(BLOB_CLAIMS))).scalar_one())


async def test_keepers_share_and_a_remover_is_alone(claims: BlobClaims) -> None:
    first, second = await claims.keep([KEY, OTHER]), await claims.keep([KEY])
    with busy():
        await claims.remove(KEY)
    await claims.give_up(first)
    with busy():
        await claims.remove(KEY)
    await claims.give_up(second)
    removing = await claims.remove(KEY)
    for claim in (claims.keep([OTHER, KEY]), claims.remove(KEY)):
        with busy():
            await claim
    assert await claims.keep([OTHER])
    await claims.give_up(removing)
    assert await claims.keep([KEY])


async def test_who_waits_goes_on_as_soon_as_the_other_ends(claims: BlobClaims) -> None:
    removing = await claims.remove(KEY)
    keeping = asyncio.create_task(claims.keep([KEY]))
    done, _ = await asyncio.wait({keeping}, timeout=0.2)
    assert not done
    await claims.give_up(removing)
    assert (await keeping).keys == [KEY]


async def test_a_keeper_that_was_held_up_too_long_names_nothing(
    claims: BlobClaims, database: Database, clock: ManualClock
) -> None:
    """Its bytes may have been removed meanwhile; the transaction that would name them fails as a whole."""
    late = await claims.keep([KEY, OTHER])
    clock.advance(blob_claims.KEPT.total_seconds() + 1)
    await claims.give_up(await claims.remove(KEY))
    with pytest.raises(BlobBusy):
        async with database.write() as connection:
            await late.confirm(connection)
    assert not late.is_over


async def test_a_keeper_is_done_in_the_transaction_that_names_the_bytes(claims: BlobClaims, database: Database) -> None:
    claim = await claims.keep([KEY, OTHER, KEY])
    async with database.write() as connection:
        await claim.confirm(connection)
    assert claim.is_over
    assert await _count(database) == 0


async def test_a_remover_that_died_holds_the_same_bytes_up_until_its_claim_ends(
    claims: BlobClaims, clock: ManualClock
) -> None:
    await claims.remove(KEY)
    clock.advance(blob_claims.REMOVED.total_seconds() - 1)
    with busy():
        await claims.keep([KEY])
    clock.advance(2)
    assert await claims.keep([KEY])


async def test_claims_of_a_deleted_tenant_and_of_the_dead_go(
    claims: BlobClaims, database: Database, clock: ManualClock
) -> None:
    theirs, others = await claims.keep([KEY]), await claims.keep([f"acme-2/{'a' * 64}"])
    await claims.delete_claims("acme")
    with pytest.raises(BlobBusy):
        async with database.write() as connection:
            await theirs.confirm(connection)
    await claims.prune_claims()
    assert await _count(database) == 1
    clock.advance(2 * blob_claims.KEPT.total_seconds() + 1)
    await claims.prune_claims()
    assert await _count(database) == 0
    assert others.keys
