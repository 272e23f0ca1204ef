from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from lab.bootstrap import MIGRATIONS
from lab.tuning import repository
from lab.tuning.repository import PIECE_BYTES
from servicekit.sql.database import Database
from servicekit.sql.migrations import migrate, upgrade

JOB = """INSERT INTO tuning_jobs (id, tenant, status, request_id, grant_key_id, created_at, queued_at, method, model,
training_set, training_version, seed, settings, options, labels, limited)
VALUES ('ftjob_1', 'acme', 'succeeded', 'r', 'k', 1, 1, 'supervised', 'smollm2', 's', 1, 7, '{}', '{}', '{}', false)"""
ARTIFACT = "INSERT INTO tuning_artifacts VALUES ('ftjob_1', 'acme', 'sha256:a', :bytes, :content)"


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES * 2 + 1])
async def test_what_was_learnt_before_there_were_pieces_is_as_it_was(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    database = Database.open(None, tmp_path, "lab")

    def before(connection: sa.Connection) -> None:
        upgrade(connection, MIGRATIONS, "0004")
        connection.execute(sa.text(JOB))
        connection.execute(sa.text(ARTIFACT), {"bytes": size, "content": content})

    await database.write(before)
    await migrate(database, MIGRATIONS)

    def read(connection: sa.Connection) -> bytes:
        count = -(-size // PIECE_BYTES)
        return b"".join(repository.get_piece(connection, "ftjob_1", number) for number in range(count))

    assert await database.read(read) == content
    await database.close()
