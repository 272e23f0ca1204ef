from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from servicekit.sql.database import Database
from servicekit.sql.migrations import UnknownRevision, migrate, newest

MIGRATION = """
from alembic import op

revision = "{revision}"
down_revision = {before}


def upgrade() -> None:
    op.execute("CREATE TABLE t{revision} (id INTEGER)")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "versions").mkdir()
    _write(tmp_path, "0001", "None")
    return tmp_path


def _write(scripts: Path, revision: str, before: str) -> None:
    text_ = MIGRATION.format(revision=revision, before=before)
    (scripts / "versions" / f"{revision}_something.py").write_text(text_)


async def _tables(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(text("SELECT name FROM sqlite_master WHERE name LIKE 't0%'"))).scalars())


async def test_a_new_file_is_all_that_a_migration_needs(scripts: Path, tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    _write(scripts, "0002", '"0001"')
    assert newest(scripts) == "0002"
    await migrate(database, scripts)
    await migrate(database, scripts)
    assert await _tables(database) == ["t0001", "t0002"]
    await database.close()


async def test_a_schema_of_a_later_version_is_refused(scripts: Path, tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    with pytest.raises(UnknownRevision, match="0009"):
        await migrate(database, scripts)
    await database.close()


async def test_a_start_on_the_newest_schema_does_without_alembic(scripts: Path, tmp_path: Path) -> None:
    database = Database.open(None, tmp_path, "sample")
    await migrate(database, scripts)
    await database.close()
    code = (
        "import asyncio, sys; from pathlib import Path; from servicekit.sql.database import Database;"
        "from servicekit.sql.migrations import migrate; from servicekit.backup import tables;"
        "folder = Path(sys.argv[1]); database = Database.open(None, folder, 'sample');"
        "asyncio.run(migrate(database, folder)); assert 'alembic' not in sys.modules; asyncio.run(database.close())"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(tmp_path)], check=True)
