from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from contracts.models.tuning import MOST_PIECES, PIECE_BYTES
from inference.bootstrap import MIGRATIONS
from inference.declarations.adapters import UNUSED, AdapterRepository
from inference.declarations.tables import MODELS
from inference.tuned.errors import AdapterIncomplete, AdapterTooLarge
from servicekit.core.clock import ManualClock
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate

PIECES = (b"GG", b"UF")
DIGEST = f"sha256:{hashlib.sha256(b'GGUF').hexdigest()}"


class Kept:
    """A repository, and a clock to move."""

    def __init__(self, database: Database) -> None:
        self.clock, self.database = ManualClock(), database
        self.repository = AdapterRepository(database, self.clock)

    async def send(self, tenant: str = "acme", job: str = "ftjob_1", pieces: tuple[bytes, ...] = PIECES) -> None:
        for number, piece in enumerate(pieces):
            await self.repository.put_piece(tenant, job, number, piece)

    async def content(self, tenant: str = "acme", job: str = "ftjob_1") -> bytes:
        return b"".join([piece async for piece in self.repository.pieces(tenant, job)])

    async def declare(self, tenant: str, job: str) -> None:
        entry: dict[str, Any] = {"tenant": tenant, "tuned": {"job": job}}
        async with self.database.write() as connection:
            row = {"name": f"m+{tenant}.{job}", "declaration": entry, "created_at": self.clock.now()}
            await connection.execute(insert(MODELS).values(row))


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    database = Database.open(None, tmp_path, "inference")
    await migrate(database, MIGRATIONS)
    yield Kept(database)
    await database.close()


async def test_what_was_sent_is_there_for_its_tenant_and_is_held_to_its_digest(kept: Kept) -> None:
    await kept.send()
    assert (await kept.content(), await kept.content("other"), await kept.content(job="ftjob_2")) == (b"GGUF", b"", b"")
    await kept.repository.check("acme", "ftjob_1", DIGEST)
    for tenant, job in (("other", "ftjob_1"), ("acme", "ftjob_2")):
        with pytest.raises(AdapterIncomplete):
            await kept.repository.check(tenant, job, DIGEST)


async def test_what_is_sent_again_replaces_what_was_there_also_where_it_is_shorter(kept: Kept) -> None:
    await kept.send(pieces=(b"a", b"b", b"c"))
    await kept.send()
    assert await kept.content() == b"GGUF"
    await kept.repository.check("acme", "ftjob_1", DIGEST)


async def test_what_is_sent_again_as_it_is_leaves_all_of_it_in_place_on_the_way(kept: Kept) -> None:
    await kept.send()
    kept.clock.advance(UNUSED.total_seconds() + 1)
    await kept.send(pieces=PIECES[:1])
    assert await kept.content() == b"GGUF"
    await kept.send()
    await kept.repository.prune()
    assert await kept.content() == b"GGUF"


async def test_what_a_model_replaced_is_kept_as_long_as_it_may_come_back(kept: Kept) -> None:
    await kept.send()
    await kept.send(job="ftjob_2")
    entry: dict[str, Any] = {"tenant": "acme", "tuned": {"job": "ftjob_2"}}
    entry["previous"] = {"tenant": "acme", "tuned": {"job": "ftjob_1"}}
    async with kept.database.write() as connection:
        row = {"name": "m+acme.x", "declaration": entry, "created_at": kept.clock.now()}
        await connection.execute(insert(MODELS).values(row))
    kept.clock.advance(UNUSED.total_seconds() + 1)
    await kept.repository.prune()
    assert (await kept.content(), await kept.content(job="ftjob_2")) == (b"GGUF", b"GGUF")


async def test_no_piece_and_no_adapter_is_larger_than_it_may_be(kept: Kept) -> None:
    for number, content in ((0, b"x" * (PIECE_BYTES + 1)), (MOST_PIECES, b"x")):
        with pytest.raises(AdapterTooLarge):
            await kept.repository.put_piece("acme", "ftjob_1", number, content)


async def test_what_no_model_is_declared_with_goes_after_an_hour_and_what_is_being_sent_stays(kept: Kept) -> None:
    await kept.send()
    await kept.send(job="ftjob_2")
    await kept.declare("acme", "ftjob_2")
    await kept.send("other", "ftjob_2")
    kept.clock.advance((UNUSED + timedelta(seconds=1)).total_seconds())
    await kept.send(job="ftjob_3")
    await kept.repository.prune()
    jobs = {(tenant, job): await kept.content(tenant, job) for tenant in ("acme", "other") for job in JOBS}
    assert {name for name, content in jobs.items() if content} == {("acme", "ftjob_2"), ("acme", "ftjob_3")}


JOBS = ("ftjob_1", "ftjob_2", "ftjob_3")


async def test_what_is_removed_goes_at_once_unless_another_model_has_it(kept: Kept) -> None:
    for job in JOBS:
        await kept.send(job=job)
    await kept.send("other")
    await kept.declare("acme", "ftjob_1")
    for job in ("ftjob_1", "ftjob_2"):
        await kept.repository.delete_unused("acme", job)
    assert [bool(await kept.content(job=job)) for job in JOBS] == [True, False, True]
    await kept.repository.delete("acme")
    assert [bool(await kept.content(job=job)) for job in JOBS] == [False] * 3
    assert await kept.content("other") == b"GGUF"
